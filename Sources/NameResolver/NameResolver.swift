package import NIOCore
import NIOPosix

/// Asks the host's name service: `hosts` file, search domains and name servers of `resolv.conf`, by c-ares.
///
/// A value that keeps nothing: each question reads the host's configuration anew, since a change of the network brings
/// other name servers. Each question has a deadline and ends at once when its task is cancelled.
package struct NameResolver: Sendable {
    /// Records taken from one answer.
    package static let most = 64

    /// Instead of those of the host, `address:port`; for tests.
    private let servers: [String]
    private let timeout: Duration

    /// A question holds up a thread; more than this many at once wait for each other.
    private static let threads = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()

    /// - Parameters:
    ///   - servers: name servers as `address:port`; empty for those of the host.
    ///   - timeout: for one question, all its tries and the wait for a thread included.
    package init(servers: [String] = [], timeout: Duration = .seconds(5)) {
        self.servers = servers
        self.timeout = timeout
    }

    /// The servers of a service, in the order of the answer.
    ///
    /// - Throws: `NameError`, or `CancellationError`.
    package func services(of name: String) async throws -> [ServiceRecord] {
        let answer = try await ask(name) { inquiry in try inquiry.records(of: name, .service) }
        return try DNSAnswer(answer, to: name).services
    }

    /// The addresses of a host, in the order in which this host had best try them (RFC 6724); at least one.
    ///
    /// - Throws: `NameError`, or `CancellationError`.
    package func addresses(of host: String, port: Int) async throws -> [SocketAddress] {
        if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
        if Self.isLoopback(host) {
            return try ["127.0.0.1", "::1"].map { try SocketAddress(ipAddress: $0, port: port) }
        }
        return try await ask(host) { inquiry in try inquiry.addresses(of: host, port: port) }
    }

    /// Whoever asks waits for the answer and not for the thread, which may be busy with questions that were there before.
    private func ask<Answer: Sendable>(
        _ name: String, _ body: @escaping @Sendable (Inquiry) throws -> Answer
    ) async throws -> Answer {
        let interrupt = try Interrupt()
        let deadline = ContinuousClock.now + timeout
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = eventLoop.makePromise(of: Answer.self)
        let timer = eventLoop.scheduleTask(in: TimeAmount(timeout)) { promise.fail(NameError.late(name)) }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        Self.threads.submit { [servers] _ in
            promise.completeWith(
                Result { try body(try Inquiry(servers: servers, deadline: deadline, interrupt: interrupt)) })
        }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            interrupt.fire()
            promise.fail(CancellationError())
        }
    }

    /// RFC 6761 section 6.3: these names never leave the machine, whatever DNS says.
    private static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased().split(separator: ".").last
        return name == "localhost"
    }
}

/// What kind of record is asked for (RFC 1035, RFC 2782, RFC 3596).
enum DNSType: CInt, Sendable {
    case v4 = 1
    case v6 = 28
    case service = 33
}
