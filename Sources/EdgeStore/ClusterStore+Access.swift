package import AccessPolicy

extension ClusterStore {
    /// Everything the edge needs to decide who may pass, in one consistent read.
    package func access() async throws -> AccessSnapshot {
        let policy = try await policy()
        return AccessSnapshot(
            configuration: try AccessConfiguration(
                applications: policy.applications.map { AccessApplication($0, tokens: policy.tokens) },
                tokens: Array(policy.tokens.values)))
    }
}

extension AccessApplication {
    /// The policies that say the same as the mode of a hostname.
    fileprivate init(_ application: Application, tokens: [ServiceTokenID: ServiceTokenRecord]) {
        let name = application.hostname.text
        let policy: Policy? =
            switch application.mode {
            case .open: Policy(id: "open", action: .bypass, criteria: Criteria(include: [.everyone]))
            case .serviceToken(let ids) where ids.isEmpty: nil
            case .serviceToken(let ids):
                Policy(
                    id: "service-tokens", action: .nonIdentity,
                    criteria: Criteria(
                        include: ids.sorted { $0.rawValue < $1.rawValue }.map { id in
                            .serviceToken(ExactText(tokens[id]?.recordID ?? id.rawValue))
                        }))
            }
        self.init(
            id: name, audience: .audience(ofApplication: name),
            domains: [ApplicationDomain(host: application.hostname)], policies: policy.map { [$0] } ?? [])
    }
}
