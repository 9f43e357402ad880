import AccessClient
import Logging
import NIOCore
import ServiceHost
import TunnelConfig

/// Which of the sockets that systemd opened is whose: by its address, else by its name, which is then the host name of the
/// service (`FileDescriptorName=rdp.example.com`).
enum SocketAssignment {
    /// Gives each forwarder its socket, if there is one for it.
    ///
    /// - Parameter takingOnly: whether a forwarder without an address of its own takes the only socket.
    /// - Throws: ``CommandError`` when it cannot be told which one that would be.
    static func assign(
        _ sockets: [InheritedSocket], to plans: inout [ForwarderConfiguration], takingOnly: Bool = false
    ) throws {
        var free = sockets
        func take(_ isIt: (InheritedSocket) -> Bool) -> InheritedSocket? {
            free.firstIndex(where: isIt).map { free.remove(at: $0) }
        }
        // The name of one must not take what is at the address of another.
        for index in plans.indices {
            if let listen = plans[index].listen { plans[index].socket = take { $0.isAt(listen) } }
        }
        for index in plans.indices where plans[index].socket == nil && plans[index].listen != nil {
            let host = plans[index].hostname.host
            plans[index].socket = take { $0.name == host }
        }
        guard takingOnly, let index = plans.firstIndex(where: { $0.listen == nil }), !sockets.isEmpty else { return }
        guard sockets.count == 1, plans.count == 1 else {
            throw CommandError(
                .usage, "systemd gave \(sockets.count) sockets; say with --url or --forward what each is for")
        }
        plans[index].socket = sockets[0]
    }

    /// Says which sockets nobody listens on: whoever connects there waits for ever.
    static func warn(_ sockets: [InheritedSocket], unusedBy plans: [ForwarderConfiguration], _ logger: Logger) {
        let used = Set(plans.compactMap { $0.socket?.descriptor })
        for socket in sockets where !used.contains(socket.descriptor) {
            logger.warning(
                "A socket of systemd is nobody's: no forwarder has its address, or its name as host name",
                metadata: ["name": "\(socket.name)", "address": "\(socket.address)"])
        }
    }
}

extension InheritedSocket {
    fileprivate func isAt(_ listen: ListenAddress) -> Bool {
        guard let port = address.port, port == listen.port, let text = address.ipAddress, let ip = IPAddress(text)
        else { return false }
        guard let wanted = IPAddress(listen.host) else {
            return listen.isLoopback && ListenAddress(host: text, port: port).isLoopback
        }
        return wanted == ip
    }
}
