package import AccessPolicy
package import Foundation

extension MemoryStore {
    package func access() throws -> AccessSnapshot {
        try accessRecords.snapshot(sessions: Array(sessions.values), revokedBefore: revokedBefore)
    }

    package func accessDocuments() -> (documents: [AccessDocument], version: Int) {
        (accessRecords.documents, revision)
    }

    package func changeAccess(_ changes: [AccessDocument.Change], expecting version: Int?) throws {
        guard version == nil || version == revision else { throw StoreError.changedMeanwhile }
        var records = accessRecords
        guard try !records.apply(changes).isEmpty else { return }
        let lost = try records.providersLost(since: accessRecords)
        accessRecords = records
        for (provider, withPeople) in lost {
            if withPeople { userIDs = userIDs.filter { $0.key[0] != provider } }
            sessions = sessions.filter { $0.value.profile.provider != provider }
        }
        revision += 1
    }

    package func addServiceToken(_ token: ServiceTokenRecord) throws {
        try accessRecords.checkNew(token)
        accessRecords.tokens.append(token)
        revision += 1
    }

    package func removeServiceToken(_ id: ServiceTokenID) throws {
        try accessRecords.checkRemovable(id)
        accessRecords.tokens.removeAll { $0.id == id }
        revision += 1
    }

    // MARK: People

    package func userID(provider: String, subject: String) -> String {
        if let id = userIDs[[provider, subject]] { return id }
        let id = UUID().uuidString.lowercased()
        userIDs[[provider, subject]] = id
        revision += 1
        return id
    }

    package func openSession(_ session: AccessSession) throws {
        guard sessions[session.id] == nil else { throw StoreError.sessionTaken }
        sessions = sessions.filter { $0.value.endsAt > session.createdAt }
        sessions[session.id] = session
        let own = sessions.values.filter { $0.profile.userID == session.profile.userID }
        for old in own.sorted(by: { $0.createdAt > $1.createdAt }).dropFirst(AccessSession.mostPerUser) {
            sessions[old.id] = nil
        }
        revision += 1
    }

    package func endSessions(_ selection: SessionSelection, at time: Date) -> Int {
        let live = sessions.filter { $0.value.endsAt > time }
        let kept = live.filter { !selection.covers($0.value) }
        guard kept.count != sessions.count else { return 0 }
        sessions = kept
        revision += 1
        return live.count - kept.count
    }

    package func revokeTokens(ofAudience audience: String, before time: Date) {
        let time = time.roundedUp
        if let former = revokedBefore[audience], former >= time { return }
        revokedBefore[audience] = time
        revision += 1
    }

    // MARK: Keys

    package func signingKeys() -> [SigningKey] { keys.sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) } }

    package func addSigningKey(_ key: SigningKey) throws {
        guard !keys.contains(where: { $0.id == key.id }) else { throw StoreError.signingKeyTaken(key.id) }
        keys.append(key)
        revision += 1
    }

    package func retireSigningKey(id: String, at time: Date) throws {
        guard let index = keys.firstIndex(where: { $0.id == id }) else { throw StoreError.noSigningKey(id) }
        keys[index].retiresAt = time
        revision += 1
    }

    package func removeSigningKey(id: String) throws {
        guard let index = keys.firstIndex(where: { $0.id == id }) else { throw StoreError.noSigningKey(id) }
        keys.remove(at: index)
        revision += 1
    }
}

extension Date {
    /// The next whole second, unless it is one.
    var roundedUp: Date { Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.up)) }
}
