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
            for (index, forwarder) in forwarders.enumerated() {
                children.addTask {
                    try await forwarder.run { _ in
                        if missing.arrived(index) { onReady() }
                    }
                }
            }
            while try await children.next() != nil {}
        }
    }

    /// Which listeners are still to come.
    private final class Missing: Sendable {
        private let indices: Mutex<Set<Int>>

        init(_ count: Int) { indices = Mutex(Set(0..<count)) }

        /// Whether this was the last. One that is bound again was not missing.
        func arrived(_ index: Int) -> Bool {
            indices.withLock { $0.remove(index) != nil && $0.isEmpty }
        }
    }
}
