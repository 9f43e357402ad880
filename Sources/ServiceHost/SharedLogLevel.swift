package import Logging
import Synchronization

/// The lowest level that a process logs; may change while it runs. Shared by all loggers that do not have their own.
package final class SharedLogLevel: Sendable {
    private let value: Mutex<Logger.Level>

    package init(_ level: Logger.Level) {
        value = Mutex(level)
    }

    package var current: Logger.Level { value.withLock { $0 } }

    /// Takes effect with the next line.
    package func set(_ level: Logger.Level) {
        value.withLock { $0 = level }
    }
}
