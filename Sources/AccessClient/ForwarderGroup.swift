package import Logging
package import NIOCore

/// Several forwarders that live together: the first that cannot go on ends all.
package struct ForwarderGroup: Sendable {
    private let forwarders: [Forwarder]

    /// - Parameter eventLoopGroup: the process-wide one if none is given.
    package init(
        _ configurations: [ForwarderConfiguration], logger: Logger, eventLoopGroup: (any EventLoopGroup)? = nil
    ) {
        forwarders = configurations.map { Forwarder($0, logger: logger, eventLoopGroup: eventLoopGroup) }
    }

    /// Listens on every address until cancelled, which is the graceful stop.
    ///
    /// - Parameter onListening: called with the bound address of each, in the order in which they listen.
    /// - Throws: `AccessError`, the first.
    package func run(onListening: @escaping @Sendable (SocketAddress) -> Void = { _ in }) async throws {
        try await withThrowingTaskGroup(of: Void.self) { children in
            for forwarder in forwarders {
                children.addTask { try await forwarder.run(onListening: onListening) }
            }
            while try await children.next() != nil {}
        }
    }
}
