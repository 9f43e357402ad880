import ArgumentParser
import TunnelConfig

/// A duration as Go writes it: `30s`, `1m30s`, `500ms`.
struct DurationArgument: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        guard let duration = try? GoDuration.parse(argument) else { return nil }
        self.duration = duration
    }
}
