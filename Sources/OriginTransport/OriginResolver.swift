import Glibc
import NIOCore
import NIOPosix

/// Finds the addresses of an origin, once per connection: whoever judges them judges the very ones that are dialled.
enum OriginResolver {
    /// Addresses taken from one answer.
    private static let most = 64
    /// Names get threads of their own: a name server that is silent holds up other names before anything else.
    private static let threads = {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        return pool
    }()

    /// - Returns: at least one address. Fails with `OriginError`.
    static func addresses(of target: OriginTarget, on eventLoop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        switch target.address {
        case .unix(let path):
            return eventLoop.makeCompletedFuture {
                do {
                    return [try SocketAddress(unixDomainSocketPath: path)]
                } catch {
                    throw OriginError(.unreachable, "the socket path \(path) is too long", cause: error)
                }
            }
        case .tcp(let host, let port):
            return addresses(host: host, port: port, on: eventLoop)
        }
    }

    private static func addresses(
        host: String, port: Int, on eventLoop: any EventLoop
    ) -> EventLoopFuture<[SocketAddress]> {
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            return eventLoop.makeSucceededFuture([address])
        }
        if isLoopback(host) {
            return eventLoop.makeCompletedFuture {
                try [
                    SocketAddress(ipAddress: "127.0.0.1", port: port), SocketAddress(ipAddress: "::1", port: port),
                ]
            }
        }
        return threads.runIfActive(eventLoop: eventLoop) {
            try lookUp(host, port: port)
        }
    }

    /// RFC 6761 section 6.3: these names never leave the machine, whatever DNS says.
    static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        return name == "localhost" || name.hasSuffix(".localhost") || name == "localhost."
            || name.hasSuffix(".localhost.")
    }

    /// Blocks while the system resolves.
    private static func lookUp(_ host: String, port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_protocol = CInt(IPPROTO_TCP)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            let reason = gai_strerror(code).map { String(cString: $0) } ?? "error \(code)"
            throw OriginError(
                .notFound, "the name \(host) cannot be resolved (\(reason)); is it spelled right?")
        }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let entry = next, found.count < most {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            switch CInt(entry.pointee.ai_family) {
            case AF_INET:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    found.append(SocketAddress($0.pointee, host: host))
                }
            case AF_INET6:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    found.append(SocketAddress($0.pointee, host: host))
                }
            default: break
            }
        }
        guard !found.isEmpty else { throw OriginError(.notFound, "the name \(host) has no address") }
        return found
    }
}

/// Answers the Happy Eyeballs of NIO with addresses that are known already.
struct KnownAddresses: Resolver, Sendable {
    let eventLoop: any EventLoop
    let addresses: [SocketAddress]

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == .inet })
    }

    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == .inet6 })
    }

    func cancelQueries() {}
}
