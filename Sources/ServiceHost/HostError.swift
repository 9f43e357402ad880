/// Why this host would not do something for the program: a file, a socket, a signal.
package struct HostError: Error, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A file cannot be read, written or made.
        case file
        /// A secret is missing, empty, too long or not text.
        case secret
        /// A local address cannot be listened on.
        case listen
        /// A value is not well formed.
        case value
    }

    package var code: Code
    /// What failed and what to do next, without the cause.
    package var message: String
    /// The underlying error, if there is one.
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message): \(cause)"
    }
}
