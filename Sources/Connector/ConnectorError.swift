/// Why the connector could not start, or ended.
package struct ConnectorError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// Something in the configuration cannot work; exit code 78.
        case badConfiguration
        /// The edge will not have this tunnel; exit code 1.
        case refusedByEdge
    }

    package var code: Code
    package var message: String
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
