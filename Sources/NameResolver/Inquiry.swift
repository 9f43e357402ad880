import CAres
import Glibc
import NIOCore

/// One question to the name service, by c-ares, on the thread that calls, which it blocks until there is an answer, the
/// time is over or the interrupt fires.
final class Inquiry {
    private let channel: ares_channel
    private let deadline: ContinuousClock.Instant
    private let interrupt: Interrupt

    /// Must come first, and once.
    private static let libraryStatus = ares_library_init(ARES_LIB_INIT_ALL)
    /// A try at one server, in milliseconds; then comes the next server, or the next try.
    private static let tryTimeout: CInt = 1500
    private static let tries: CInt = 2

    /// Reads the host's configuration.
    init(servers: [String], deadline: ContinuousClock.Instant, interrupt: Interrupt) throws {
        guard Self.libraryStatus == ARES_SUCCESS else { throw Self.failure(Self.libraryStatus, "c-ares") }
        var options = ares_options()
        options.timeout = Self.tryTimeout
        options.tries = Self.tries
        var channel: ares_channel?
        let status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES)
        guard status == ARES_SUCCESS, let channel else {
            throw Self.failure(status, "the host's resolver configuration")
        }
        self.channel = channel
        self.interrupt = interrupt
        self.deadline = deadline
        guard !servers.isEmpty else { return }
        let set = ares_set_servers_ports_csv(channel, servers.joined(separator: ","))
        guard set == ARES_SUCCESS else { throw Self.failure(set, "the list of name servers") }
    }

    deinit { ares_destroy(channel) }

    /// The whole answer to a question of one type, as bytes.
    func records(of name: String, _ type: DNSType) throws -> [UInt8] {
        let outcome = Outcome()
        return try withExtendedLifetime(outcome) {
            ares_query(
                channel, name, 1, type.rawValue,
                { box, status, _, bytes, count in
                    let outcome = Outcome.of(box)
                    if let bytes {
                        outcome?.message = Array(UnsafeBufferPointer(start: bytes, count: Int(max(0, count))))
                    }
                    outcome?.status = status
                }, outcome.pointer)
            try wait(for: outcome, name)
            return outcome.message
        }
    }

    /// The addresses of a name, by the `hosts` file or DNS.
    func addresses(of name: String, port: Int) throws -> [SocketAddress] {
        let outcome = Outcome()
        return try withExtendedLifetime(outcome) {
            var hints = ares_addrinfo_hints()
            hints.ai_family = AF_UNSPEC
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
            ares_getaddrinfo(
                channel, name, nil, &hints,
                { box, status, _, list in
                    let outcome = Outcome.of(box)
                    outcome?.addresses = Inquiry.addresses(in: list)
                    outcome?.status = status
                    ares_freeaddrinfo(list)
                }, outcome.pointer)
            try wait(for: outcome, name)
            guard !outcome.addresses.isEmpty else { throw NameError(.notFound, "the name \(name) has no address") }
            return outcome.addresses.map { address in
                var address = address
                address.port = port
                return address
            }
        }
    }

    private static func addresses(in list: UnsafeMutablePointer<ares_addrinfo>?) -> [SocketAddress] {
        var found: [SocketAddress] = []
        var next = list?.pointee.nodes
        while let node = next, found.count < NameResolver.most {
            next = node.pointee.ai_next
            guard let address = node.pointee.ai_addr else { continue }
            switch node.pointee.ai_family {
            case AF_INET where node.pointee.ai_addrlen >= MemoryLayout<sockaddr_in>.size:
                address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { found.append(SocketAddress($0.pointee)) }
            case AF_INET6 where node.pointee.ai_addrlen >= MemoryLayout<sockaddr_in6>.size:
                address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    found.append(SocketAddress($0.pointee))
                }
            default: break
            }
        }
        return found
    }

    // MARK: Waiting

    /// What c-ares reports, on this thread: while it is asked, or while the channel is destroyed.
    private final class Outcome {
        var status: CInt?
        var message: [UInt8] = []
        var addresses: [SocketAddress] = []

        var pointer: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

        static func of(_ pointer: UnsafeMutableRawPointer?) -> Outcome? {
            pointer.map { Unmanaged.fromOpaque($0).takeUnretainedValue() }
        }
    }

    /// Drives the sockets until the outcome is there.
    private func wait(for outcome: Outcome, _ name: String) throws {
        while outcome.status == nil {
            let left = deadline - .now
            var waiting = [pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0)] + sockets()
            let count = poll(&waiting, nfds_t(waiting.count), left > .zero ? pause(left) : 0)
            let isCancelled = waiting[0].revents != 0
            guard !isCancelled, left > .zero, count >= 0 || errno == EINTR else {
                // Reports to the outcome, which must not hear of it later.
                ares_cancel(channel)
                if isCancelled { throw CancellationError() }
                throw NameError.late(name)
            }
            drive(waiting.dropFirst(), isIdle: count <= 0)
        }
        if let status = outcome.status, status != ARES_SUCCESS { throw Self.failure(status, name) }
    }

    private func sockets() -> [pollfd] {
        var sockets = [ares_socket_t](repeating: -1, count: Int(ARES_GETSOCK_MAXNUM))
        let bits = UInt32(bitPattern: ares_getsock(channel, &sockets, ARES_GETSOCK_MAXNUM))
        return sockets.indices.compactMap { index in
            var events: Int16 = 0
            if bits & (1 << UInt32(index)) != 0 { events |= Int16(POLLIN) }
            if bits & (1 << UInt32(index + Int(ARES_GETSOCK_MAXNUM))) != 0 { events |= Int16(POLLOUT) }
            return events == 0 ? nil : pollfd(fd: sockets[index], events: events, revents: 0)
        }
    }

    /// Until c-ares wants to try again, or the time is over; milliseconds, and not zero, so that nothing spins.
    private func pause(_ left: Duration) -> CInt {
        let (seconds, attoseconds) = left.components
        var most = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        var next = timeval()
        let chosen = ares_timeout(channel, &most, &next)?.pointee ?? most
        return CInt(clamping: chosen.tv_sec * 1000 + chosen.tv_usec / 1000 + 1)
    }

    private func drive(_ sockets: ArraySlice<pollfd>, isIdle: Bool) {
        guard !isIdle else { return ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD) }
        for socket in sockets where socket.revents != 0 {
            let writable = socket.revents & Int16(POLLOUT) != 0
            let readable = socket.revents & ~Int16(POLLOUT) != 0
            ares_process_fd(
                channel, readable ? socket.fd : ARES_SOCKET_BAD, writable ? socket.fd : ARES_SOCKET_BAD)
        }
    }

    /// A status of c-ares in words.
    static func failure(_ status: CInt, _ name: String) -> NameError {
        let words = ares_strerror(status).map { String(cString: $0) } ?? "error \(status)"
        switch status {
        case ARES_ENODATA, ARES_ENOTFOUND:
            return NameError(.notFound, "the name service does not know \(name) (\(words))")
        case ARES_ESERVFAIL, ARES_ENOTIMP, ARES_EREFUSED, ARES_EFORMERR:
            return NameError(.refused, "the name service could not answer for \(name) (\(words))")
        case ARES_EBADNAME, ARES_EBADQUERY, ARES_EBADFAMILY, ARES_EBADSTR:
            return NameError(.badName, "\(name) is no name that can be looked up (\(words))")
        case ARES_EBADRESP:
            return NameError(.badAnswer, "the name service gave a broken answer for \(name)")
        default:
            return NameError(.unreachable, "no name server answered for \(name) (\(words))")
        }
    }
}
