package import NIOCore
package import ServiceHost
import Synchronization
package import TunnelConfig

/// The part of the configuration that a reload replaces, whole: what new streams and new registrations go by.
package struct ServedConfiguration: Sendable {
    /// What the edge may reach here.
    package var routes: RoutingTable
    /// Request headers `Cf-Warp-Tag-<name>`.
    package var tags: [(name: String, value: String)]
    /// Told to the edge with the next registration; nil for none.
    package var localConfiguration: ByteBuffer?
    /// The answer of `/config`, JSON.
    package var report: String

    package init(
        routes: RoutingTable, tags: [(name: String, value: String)] = [], localConfiguration: ByteBuffer? = nil,
        report: String = "{}"
    ) {
        self.routes = routes
        self.tags = tags
        self.localConfiguration = localConfiguration
        self.report = report
    }
}

/// The configuration in force: read by every stream without waiting, replaced by the Supervisor alone.
final class CurrentConfiguration: Sendable {
    private let value: Mutex<ServedConfiguration>

    init(_ first: ServedConfiguration) {
        value = Mutex(first)
    }

    var now: ServedConfiguration { value.withLock { $0 } }

    func replace(by next: ServedConfiguration) {
        value.withLock { $0 = next }
    }
}

/// Where a running connector finds its configuration again.
package struct ConfigurationSource: Sendable {
    /// What was found, checked as at a start.
    package struct Reading: Sendable {
        package var served: ServedConfiguration
        /// Settings that differ from those of the start and count only after the next one.
        package var needsRestart: [String]
        /// Puts in force what lies outside the connector, such as the log level.
        package var putInForce: @Sendable () -> Void

        package init(
            served: ServedConfiguration, needsRestart: [String] = [],
            putInForce: @escaping @Sendable () -> Void = {}
        ) {
            self.served = served
            self.needsRestart = needsRestart
            self.putInForce = putInForce
        }
    }

    /// Says when the file is another one than was first read; nil when there is none.
    package var watcher: FileWatcher?
    /// Reads and checks everything again; nothing is in force yet. Throws what tells a person the file, line and key.
    package var read: @Sendable () throws -> Reading

    package init(watcher: FileWatcher?, read: @escaping @Sendable () throws -> Reading) {
        self.watcher = watcher
        self.read = read
    }
}
