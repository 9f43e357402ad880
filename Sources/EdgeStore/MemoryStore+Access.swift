package import AccessPolicy

extension MemoryStore {
    package func policy() -> PolicySnapshot {
        PolicySnapshot(applications: Array(applications.values), tokens: Array(serviceTokens.values))
    }

    package func setApplication(_ application: Application) throws {
        if case .serviceToken(let ids) = application.mode {
            let unknown = ids.filter { serviceTokens[$0] == nil }.map(\.rawValue).min()
            if let unknown { throw StoreError.noServiceToken(unknown) }
        }
        let name = application.hostname.text
        guard applications.updateValue(application, forKey: name) != application else { return }
        revision += 1
    }

    package func removeApplication(_ hostname: String) throws {
        guard applications.removeValue(forKey: hostname) != nil else { throw StoreError.noApplication(hostname) }
        revision += 1
    }

    package func addServiceToken(_ token: ServiceTokenRecord) throws {
        guard serviceTokens[token.id] == nil else { throw StoreError.serviceTokenTaken(token.id.rawValue) }
        serviceTokens[token.id] = token
        revision += 1
    }

    package func removeServiceToken(_ id: ServiceTokenID) throws {
        let user = applications.values.filter {
            if case .serviceToken(let ids) = $0.mode { ids.contains(id) } else { false }
        }.map(\.hostname.text).min()
        if let user { throw StoreError.serviceTokenUsed(id.rawValue, by: user) }
        guard serviceTokens.removeValue(forKey: id) != nil else { throw StoreError.noServiceToken(id.rawValue) }
        revision += 1
    }
}
