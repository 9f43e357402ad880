/// Why there is no token: which hop failed and what to try next, on one line. Never holds a secret.
package struct LoginError: Error, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A setting cannot be used as it is.
        case configuration
        /// Token files cannot be kept on this machine.
        case storage
        /// No Access application guards the hostname.
        case noApplication
        /// What the hostname says about its application cannot be believed.
        case untrustedApplication
        /// There is no token, and none may be asked for here.
        case noToken
        /// Somebody else's login on this machine did not end.
        case busy
        /// The transfer store did not hand out what the login made.
        case transfer
        /// A fresh token was refused.
        case refused
        /// An answer is not what the protocol says.
        case badAnswer
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
