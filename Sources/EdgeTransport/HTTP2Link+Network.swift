import NIOCore
import NIOPosix

/// A link on a host whose network changed.
extension HTTP2Link {
    /// The host's network changed, or the host slept. A link whose own address is gone ends at once; one that would take
    /// another way now must answer a PING soon; any other, in the usual time. From any thread.
    package func networkChanged() {
        let link = self
        eventLoop.execute {
            if let address = link.vanishedAddress() {
                let error = LinkError(.networkChanged, "this host has no longer the address \(address)")
                return link.linkGuard.value.fail(error)
            }
            guard let edge = link.channel.remoteAddress else { return }
            // Connecting a datagram socket sends nothing; it asks the kernel for the way.
            DatagramBootstrap(group: link.eventLoop).connect(to: edge).whenComplete { result in
                let way = try? result.get()
                let isSame = way != nil && way?.localAddress?.ipAddress == link.channel.localAddress?.ipAddress
                way?.close(promise: nil)
                link.linkGuard.value.probe(urgently: !isSame)
            }
        }
    }

    /// Our own address of this connection, when no interface has it any more.
    private func vanishedAddress() -> String? {
        guard let address = channel.localAddress?.ipAddress, !address.hasPrefix("127."),
            let devices = try? System.enumerateDevices()
        else { return nil }
        return devices.contains { $0.address?.ipAddress == address } ? nil : address
    }
}
