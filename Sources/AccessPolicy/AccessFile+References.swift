package import TunnelConfig

extension AccessFile {
    /// Refuses a policy that names an identity provider or service token that is not there: under `exclude`, it would let
    /// in whom it was to keep out.
    package func checkReferences(tokens: [ServiceTokenRecord]) throws(ConfigError) {
        let tokenIDs = Set(tokens.map { ExactText($0.recordID) })
        let providerIDs = Set(providers.map { ExactText($0.id) })
        for (place, selector) in selectors {
            switch selector {
            case .serviceToken(let id) where !tokenIDs.contains(id):
                throw ConfigError(
                    "there is no service token \(quoted(id.description))",
                    suggestion: "see `cloudflared-edge access token list`", key: place)
            case .loginMethod(let id) where !providerIDs.contains(id),
                .oidc(let id, _, _) where !providerIDs.contains(id):
                throw ConfigError(
                    "there is no identity provider \(quoted(id.description))",
                    suggestion: ConfigKeys.hint(for: id.description, among: providers.map(\.id))
                        ?? "see `cloudflared-edge access idp list`", key: place)
            default: continue
            }
        }
    }

    /// What names a service token, by its record id; nil: nothing does.
    package func user(ofServiceToken recordID: String) -> String? {
        let token = Selector.serviceToken(ExactText(recordID))
        return selectors.first { $0.1 == token }?.0
    }

    /// Every selector and where it stands.
    private var selectors: [(String, Selector)] {
        var result: [(String, Selector)] = []
        func add(_ criteria: Criteria?, _ place: String) {
            for selector in criteria.map({ Array($0.selectors) }) ?? [] { result.append((place, selector)) }
        }
        for group in groups { add(group.criteria, "groups[\(group.id)]") }
        for application in applications {
            let place = "applications[\(application.id)]"
            for policy in application.policies { add(policy.criteria, "\(place).policies[\(policy.name)]") }
            for grant in application.destinations { add(grant.criteria, "\(place).destinations") }
        }
        return result
    }
}
