package import Logging
package import NIOCore
import Synchronization

/// Several forwarders that live together: the first that cannot go on ends all.
package struct ForwarderGroup: Sendable {
    private let forwarders: [Forwarder]

    /// - Parameter eventLoopGroup: the process-wide one if none is given.
    package init(
        _ configurations: [ForwarderConfiguration], logger: Logger, eventLoopGroup: (any EventLoopGroup)? = nil
    ) {
        forwarders = configurations.map { Forwarder($0, logger: logger, eventLoopGroup: eventLoopGroup) }
    }

    /// Serves until cancelled, which is the graceful stop, or until standard input and output have ended.
    ///
    /// - Parameter onReady: called once, when every listener is bound.
    /// - Throws: `AccessError`, the first.
    package func run(onReady: @escaping @Sendable () -> Void = {}) async throws {
        let missing = Missing(forwarders.count)
        try await withThrowingTaskGroup(of: Void.self) { children in
            for forwarder in forwarders {
                children.addTask {
                    try await forwarder.run { _ in
                        if missing.oneLess() { onReady() }
                    }
                }
            }
            while try await children.next() != nil {}
        }
    }

    /// How many listeners are still to come.
    private final class Missing: Sendable {
        private let count: Mutex<Int>

        init(_ count: Int) { self.count = Mutex(count) }

        /// Whether this was the last.
        func oneLess() -> Bool {
            count.withLock { count in
                count -= 1
                return count == 0
            }
        }
    }
}
