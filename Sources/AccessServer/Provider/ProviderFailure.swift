/// A login that failed because of the identity provider, or of what it said: in words for the person and the log.
struct ProviderFailure: Error, CustomStringConvertible {
    enum Code: String, Sendable {
        /// Not to be reached, too slow, or broken.
        case unreachable
        /// It answered, and not by the rules.
        case badAnswer = "bad_answer"
        /// It refused the login or the code.
        case refused
        /// What it said about the person is not to be believed.
        case untrusted
    }

    let code: Code
    /// Which part: `discovery document`, `token endpoint`, `keys`, `id_token`, `userinfo`.
    let hop: String
    /// One of our own sentences: nothing that the provider or the visitor wrote.
    let reason: String

    init(_ code: Code, _ hop: String, _ reason: String) {
        self.code = code
        self.hop = hop
        self.reason = reason
    }

    var description: String { "\(hop): \(reason)" }
}
