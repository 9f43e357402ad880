import ServiceHost

/// Why a command ends without having done what was asked: one line for standard error, and how the process ends.
struct CommandError: Error, CustomStringConvertible {
    enum Code: Sendable, Equatable {
        /// Command line or environment are malformed.
        case usage
        /// The command exists in the official client and not in this version.
        case unavailableCommand
        /// File, credentials or token cannot be used.
        case configuration
        /// Nobody answers where the answer was expected.
        case unavailable
        /// Tried and failed.
        case failure
    }

    var code: Code
    /// Names the hop that failed and the next thing to try.
    var message: String
    var cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    var description: String {
        guard let cause else { return message }
        return "\(message): \(cause)"
    }

    var exitCode: ExitCode {
        switch code {
        case .usage: .usage
        case .configuration: .configuration
        case .unavailable: .unavailable
        case .failure, .unavailableCommand: .failure
        }
    }
}
