import AccessPolicy
import EdgeStore

extension AccessApplication {
    /// Who is let in, as lists show it.
    var word: String {
        if isOpen { return "open" }
        let actions = Set(policies.map(\.action))
        if actions.contains(.allow) { return "login" }
        if actions == [.nonIdentity] { return "service-token" }
        return actions.subtracting([.deny]).isEmpty ? "closed" : "policy"
    }

    /// The service tokens that its policies name, by client id.
    func serviceTokens(in configuration: AccessConfiguration) -> [String] {
        let named = Set(policies.flatMap(\.criteria.include))
        return configuration.tokens.values.filter { named.contains(.serviceToken(ExactText($0.recordID))) }
            .map(\.id.rawValue).sorted()
    }
}

extension AccessConfiguration {
    /// Who may visit a hostname as routes have it: a name or `*.NAME`.
    func word(forHostname hostname: String) -> String {
        let whole = applications.first { $0.domains.contains { $0.host.text == hostname && $0.path.isEverything } }
        if let whole { return whole.word }
        // What is said for every name in place of the * is said for one that nobody chose.
        let name = hostname.hasPrefix("*.") ? "x--any--x" + hostname.dropFirst() : hostname
        guard case .application(let application, _) = match(authority: name, target: "/") else { return "closed" }
        return application.word
    }
}

extension Administration {
    /// What policies name service tokens by, for client ids as people have them.
    func recordIDs(of clientIDs: [String]) async throws -> [String] {
        let tokens = try await store.access().configuration.tokens
        return try clientIDs.map { id in
            guard let token = tokens[ServiceTokenID(rawValue: id)] else {
                throw StoreError(
                    .notFound,
                    "there is no service token \(id); make one with `cloudflared-edge access token create`")
            }
            return token.recordID
        }
    }
}
