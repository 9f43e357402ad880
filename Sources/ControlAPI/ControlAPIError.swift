/// A call to the account API that failed: which hop, what the server said, what to do next.
package struct ControlAPIError: Error, CustomStringConvertible, Sendable {
    package enum Code: Sendable, Equatable {
        /// The URL, a certificate file or another given value is wrong.
        case configuration
        /// No connection, or none in time.
        case unreachable
        /// The server's certificate is not accepted.
        case untrusted
        /// 401 or 403.
        case unauthorized
        /// 404.
        case notFound
        /// 409: a name or a hostname is taken.
        case conflict
        /// Any other refusal.
        case refused
        /// An answer that is not what the API says.
        case badAnswer
    }

    package let code: Code
    /// What was being done where, and what happened; with the server's own words.
    package let message: String
    /// What to do next.
    package let remedy: String
    /// The server's codes and messages.
    package let problems: [APIProblem]
    package let cause: (any Error)?

    package init(
        _ code: Code, _ message: String, remedy: String, problems: [APIProblem] = [], cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.problems = problems
        self.cause = cause
    }

    package var description: String { "\(message); \(remedy)" }
}
