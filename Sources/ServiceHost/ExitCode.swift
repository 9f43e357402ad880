/// How a process ends, told to whoever started it. Values follow `sysexits.h` where it has one.
///
/// The official client answers 0 to usage errors and 255 or 1 to others; scripts written against it can ask for that
/// table with `CLOUDFLARED_COMPAT_EXIT=1`.
package enum ExitCode: Int32, Sendable, CaseIterable {
    /// Done, or a graceful stop after SIGTERM or SIGINT.
    case success = 0
    /// The action was tried and failed.
    case failure = 1
    /// The command line or an environment variable is not well formed.
    case usage = 2
    /// The service asked for cannot be reached or is not ready.
    case unavailable = 69
    /// The configuration file, the credentials or a token cannot be used as they are.
    case configuration = 78

    /// The number to end with.
    ///
    /// - Parameter isOfficial: whether the official table is asked for, see ``isOfficialTableAsked(in:)``.
    package func number(isOfficial: Bool) -> Int32 {
        guard isOfficial else { return rawValue }
        switch self {
        case .success, .usage: return 0
        case .failure, .unavailable, .configuration: return 1
        }
    }

    /// Whether the environment asks for the exit codes of the official client.
    package static func isOfficialTableAsked(in environment: [String: String]) -> Bool {
        environment["CLOUDFLARED_COMPAT_EXIT"] == "1"
    }
}
