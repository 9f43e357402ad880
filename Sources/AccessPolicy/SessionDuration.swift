package import FoundationEssentials
package import TunnelConfig

/// How long a login counts (access-protocol section 3.10): from "for this request only" up to a month.
package struct SessionDuration: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Whole seconds.
    package let seconds: Int

    private static let month = 31 * 86_400

    private init(seconds: Int) { self.seconds = seconds }

    /// What counts where nothing is said.
    package static let standard = SessionDuration(seconds: 86_400)

    /// For an application or policy. Reads `24h`, `30m`, `0s`; up to 31 days.
    package static func parse(_ text: String) throws(ConfigError) -> SessionDuration {
        try parse(text, in: 0...month, least: "0s")
    }

    /// For the global session, which must last from one application to the next. From 15 minutes.
    package static func parseGlobal(_ text: String) throws(ConfigError) -> SessionDuration {
        try parse(text, in: 900...month, least: "15m")
    }

    private static func parse(
        _ text: String, in range: ClosedRange<Int>, least: String
    ) throws(ConfigError) -> SessionDuration {
        let duration = try GoDuration.parse(text).components
        guard duration.attoseconds == 0, let seconds = Int(exactly: duration.seconds), range.contains(seconds) else {
            throw ConfigError(
                "the session duration \(quoted(text)) is out of range",
                suggestion: "write whole seconds between \(least) and 744h")
        }
        return SessionDuration(seconds: seconds)
    }

    /// The policy's own, else the application's, else 24 hours.
    package static func resolved(policy: SessionDuration?, application: SessionDuration?) -> SessionDuration {
        policy ?? application ?? .standard
    }

    /// When a token issued at `now` ends: never after `end`, the hard end of the session or token behind it.
    package func expiry(from now: Date, notAfter end: Date? = nil) -> Date {
        let own = now + Double(seconds)
        return end.map { min(own, $0) } ?? own
    }

    package static func < (left: SessionDuration, right: SessionDuration) -> Bool { left.seconds < right.seconds }

    package var description: String { GoDuration.format(.seconds(seconds)) }
}
