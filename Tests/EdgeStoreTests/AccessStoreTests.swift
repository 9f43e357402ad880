import AccessPolicy
import EdgeStore
import Foundation
import Testing
import TunnelConfig

/// What every store promises of Access.
@Suite struct AccessStoreTests {
    static func host(_ text: String) throws -> ApplicationHostname { try #require(ApplicationHostname(text)) }

    static func session(_ id: String, email: String? = "Ann@example.com", from start: Double = 0, to end: Double = 100)
        -> AccessSession
    {
        AccessSession(
            id: id, createdAt: .at(start), endsAt: .at(end), address: "192.0.2.1",
            profile: AccessSession.Profile(
                userID: "user-\(email ?? "nobody")", provider: "corp", email: email, name: "Ann \"A\"",
                authMethods: ["pwd"], claims: ["groups": ["rdp", "büro"]]))
    }

    @Test(arguments: StoreKind.allCases)
    func `documents and service tokens come back, and hold on to each other`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let token = ServiceTokenRecord(
                id: ServiceTokenID(rawValue: "a.access"), recordID: UUID().uuidString,
                secretHash: ServiceTokenSecret("s").hash, name: "n", createdAt: .at(0), expiresAt: .at(100))
            let host = try Self.host("*-x.site.test")
            let guarded = AccessDocument(.forServiceTokens([token.recordID], at: host))
            #expect(await storeErrorCode { try await store.changeAccess([.put(guarded)], expecting: nil) } == .invalid)
            #expect(try await store.access() == .empty)
            try await store.addServiceToken(token)
            #expect(await storeErrorCode { try await store.addServiceToken(token) } == .inUse)
            try await store.changeAccess([.put(guarded)], expecting: nil)
            let access = try await store.access()
            #expect(access.configuration.applications == [.forServiceTokens([token.recordID], at: host)])
            #expect(access.configuration.tokens == [token.id: token])
            let version = try await store.version()
            try await store.changeAccess([.put(guarded)], expecting: nil)
            #expect(try await store.version() == version)
            #expect(await storeErrorCode { try await store.removeServiceToken(token.id) } == .inUse)
            try await store.changeAccess([.put(AccessDocument(.open(host)))], expecting: nil)
            #expect(try await store.access().configuration.applications == [.open(host)])
            try await store.removeServiceToken(token.id)
            #expect(await storeErrorCode { try await store.removeServiceToken(token.id) } == .notFound)
            let removal = [AccessDocument.Change.remove(.application, id: host.text)]
            try await store.changeAccess(removal, expecting: nil)
            #expect(await storeErrorCode { try await store.changeAccess(removal, expecting: nil) } == .notFound)
            #expect(try await store.access() == .empty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `changes are made together or not at all`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let open = AccessDocument(.open(try Self.host("a.site.test")))
            let group = AccessDocument(RuleGroup(id: "staff", criteria: Criteria(include: [.email("a@b.test")])))
            let version = try await store.version()
            let broken = AccessDocument(kind: .group, id: "b", json: #"{"id":"b","include":[]}"#)
            for changes: [AccessDocument.Change] in [
                [.put(open), .put(broken)], [.put(open), .remove(.group, id: "staff")],
                [.put(open), .put(AccessDocument(kind: .group, id: "other", json: group.json))],
                [.put(AccessDocument(kind: .settings, id: "settings", json: "{"))],
            ] {
                await #expect(throws: StoreError.self) { try await store.changeAccess(changes, expecting: nil) }
            }
            #expect(try await store.version() == version)
            #expect(try await store.accessDocuments().documents.isEmpty)
            try await store.changeAccess([.put(open), .put(group)], expecting: version)
            let (documents, next) = try await store.accessDocuments()
            #expect(documents == [open, group])
            #expect(next > version)
            #expect(
                await storeErrorCode {
                    try await store.changeAccess([.remove(.group, id: "staff")], expecting: version)
                } == .conflict)
            let replaced = AccessDocument(RuleGroup(id: "staff", criteria: Criteria(include: [.everyone])))
            try await store.changeAccess([.put(replaced)], expecting: next)
            #expect(try await store.accessDocuments().documents == [open, replaced])
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a group that is used stays, and an unknown provider is named`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let file = try AccessFile.parse(
                """
                groups: [{name: staff, include: [{email: a@b.test}]}]
                applications:
                  - {name: a, domains: [a.site.test], policies: [{name: p, decision: allow, include: [{group: staff}]}]}
                """, path: "access.yml")
            try await store.changeAccess(file.documents.map { .put($0) }, expecting: nil)
            let group = [AccessDocument.Change.remove(.group, id: "staff")]
            #expect(await storeErrorCode { try await store.changeAccess(group, expecting: nil) } == .invalid)
            let lacking = try AccessFile.parse(
                """
                applications: [{name: b, domains: [b.site.test], policies: [
                  {name: p, decision: allow, include: [everyone], exclude: [{login_method: crop}]}]}]
                """, path: "access.yml")
            let error = await #expect(throws: StoreError.self) {
                try await store.changeAccess(lacking.documents.map { .put($0) }, expecting: nil)
            }
            #expect(error?.message.contains("there is no identity provider \"crop\"") == true)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a user has one id`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let id = try await store.userID(provider: "corp", subject: "1")
            #expect(UUID(uuidString: id) != nil)
            #expect(try await store.userID(provider: "corp", subject: "1") == id)
            #expect(try await store.userID(provider: "corp", subject: "2") != id)
            #expect(try await store.userID(provider: "other", subject: "1") != id)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `sessions come back until they are ended`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let sessions = [
                Self.session("1"), Self.session("2", email: "bob@example.com"), Self.session("3", email: nil),
            ]
            for session in sessions { try await store.openSession(session) }
            #expect(await storeErrorCode { try await store.openSession(sessions[0]) } == .inUse)
            #expect(try await Set(store.access().sessions.values) == Set(sessions))
            let version = try await store.version()
            #expect(try await store.endSessions(.id("0"), at: .at(1)) == 0)
            #expect(try await store.version() == version)
            #expect(try await store.endSessions(.user("ANN@example.com"), at: .at(1)) == 1)
            #expect(try await store.version() > version)
            #expect(try await store.endSessions(.user("user-bob@example.com"), at: .at(1)) == 1)
            #expect(try await store.access().sessions.keys.sorted() == ["3"])
            try await store.openSession(Self.session("4", from: 100, to: 200))
            #expect(try await store.access().sessions.keys.sorted() == ["4"])
            #expect(try await store.endSessions(.id("none"), at: .at(200)) == 0)
            #expect(try await store.access().sessions.isEmpty)
            try await store.openSession(Self.session("5"))
            #expect(try await store.endSessions(.all, at: .at(1)) == 1)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a user's oldest session ends when there are too many`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.openSession(Self.session("other", email: nil))
            for number in 0...AccessSession.mostPerUser {
                try await store.openSession(Self.session("\(number)", from: Double(number) / 1000))
            }
            let sessions = try await store.access().sessions
            #expect(sessions.count == AccessSession.mostPerUser + 1)
            #expect(sessions["0"] == nil && sessions["1"] != nil && sessions["other"] != nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `whom a provider named is nobody any more when it goes, or is another one`(_ kind: StoreKind) async throws {
        func provider(_ id: String, _ issuer: String, _ secret: String = "s") -> AccessDocument {
            AccessDocument(
                kind: .identityProvider, id: id,
                json: """
                    {"id":"\(id)","type":"oidc","config":{"issuer":"\(issuer)","client_id":"e","client_secret":"\(secret)"}}
                    """)
        }
        try await kind.withStore { store in
            for id in ["corp", "other"] {
                try await store.changeAccess([.put(provider(id, "https://\(id).test"))], expecting: nil)
            }
            let ann = try await store.userID(provider: "corp", subject: "1")
            try await store.openSession(Self.session("1"))
            // Another secret for the same one changes nothing.
            try await store.changeAccess([.put(provider("corp", "https://corp.test", "t"))], expecting: nil)
            try await store.changeAccess([.remove(.identityProvider, id: "other")], expecting: nil)
            #expect(try await store.access().sessions["1"] != nil)
            try await store.changeAccess([.put(provider("corp", "https://evil.test"))], expecting: nil)
            #expect(try await store.access().sessions.isEmpty)
            #expect(try await store.userID(provider: "corp", subject: "1") != ann)
            try await store.openSession(Self.session("2"))
            try await store.changeAccess([.remove(.identityProvider, id: "corp")], expecting: nil)
            #expect(try await store.access().sessions.isEmpty)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `a revocation counts for the whole second and never goes back`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.revokeTokens(ofAudience: "aud", before: .at(0.2))
            #expect(try await store.access().revokedBefore == ["aud": .at(1)])
            let version = try await store.version()
            try await store.revokeTokens(ofAudience: "aud", before: .at(-5))
            #expect(try await store.version() == version)
            try await store.revokeTokens(ofAudience: "aud", before: .at(2))
            #expect(try await store.access().revokedBefore == ["aud": .at(2)])
            #expect(try await store.version() > version)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `signing keys come back, oldest first, and are never printed`(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let keys = (0..<3).map { number in
                SigningKey(
                    id: "\(number)", purpose: number == 1 ? .ssh : .tokens, privateKeyPEM: "PRIVATE",
                    createdAt: .at(Double(number)), signsFrom: .at(10))
            }
            for key in keys.reversed() { try await store.addSigningKey(key) }
            #expect(await storeErrorCode { try await store.addSigningKey(keys[0]) } == .inUse)
            #expect(try await store.signingKeys() == keys)
            try await store.retireSigningKey(id: "0", at: .at(50))
            #expect(try await store.signingKeys().first?.retiresAt == .at(50))
            try await store.removeSigningKey(id: "0")
            #expect(await storeErrorCode { try await store.removeSigningKey(id: "0") } == .notFound)
            #expect(await storeErrorCode { try await store.retireSigningKey(id: "0", at: .at(0)) } == .notFound)
            #expect(try await store.signingKeys().map(\.id) == ["1", "2"])
            var dumped = "\(keys) \(String(reflecting: keys[0]))"
            dump(keys, to: &dumped)
            #expect(!dumped.contains("PRIVATE"))
        }
    }
}
