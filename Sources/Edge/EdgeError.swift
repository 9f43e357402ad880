/// Why an edge cannot serve.
package struct EdgeError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// An address cannot be listened on.
        case listen
        /// An address, a certificate or a key is not usable as configured.
        case configuration
    }

    package let code: Code
    /// Which part failed and what to do next.
    package let message: String
    package let cause: (any Error)?

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
