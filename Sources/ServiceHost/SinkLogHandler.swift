package import Logging

/// The one log backend: formats an event once for each output and writes it there.
package struct SinkLogHandler: LogHandler {
    /// Where events go, and in which form.
    enum Output: Sendable {
        case lines(LogFormat, LogSink)
        case journal(JournalSink)
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? sharedLevel.current }
        set { ownLevel = newValue }
    }
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let outputs: [Output]
    private let sharedLevel: SharedLogLevel
    /// Of this logger alone, once it was set.
    private var ownLevel: Logger.Level?
    private let secondsSinceEpoch: @Sendable () -> Int

    /// - Parameter secondsSinceEpoch: the clock, given by tests.
    init(
        outputs: [Output], level: SharedLogLevel, secondsSinceEpoch: (@Sendable () -> Int)? = nil
    ) {
        self.outputs = outputs
        sharedLevel = level
        self.secondsSinceEpoch = secondsSinceEpoch ?? { LogTime.now() }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields = metadata
        if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
        if let own = event.metadata { fields.merge(own) { _, new in new } }
        if let error = event.error, fields["error"] == nil { fields["error"] = .string(String(describing: error)) }
        let now = secondsSinceEpoch()
        for output in outputs {
            switch output {
            case .lines(let format, let sink):
                sink.write(
                    format.line(
                        level: event.level, message: event.message.description, fields: fields, secondsSinceEpoch: now))
            case .journal(let journal):
                journal.write(level: event.level, message: event.message.description, fields: fields)
            }
        }
    }
}
