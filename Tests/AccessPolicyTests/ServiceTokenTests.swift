import FoundationEssentials
import Testing

@testable import AccessPolicy

struct ServiceTokenTests {
    @Test func `identifiers and secrets have their format and differ`() {
        let ids = (0..<100).map { _ in ServiceTokenID.generate() }
        let secrets = (0..<100).map { _ in ServiceTokenSecret.generate() }
        #expect(Set(ids).count == 100)
        #expect(Set(secrets).count == 100)
        for id in ids {
            #expect(id.rawValue.wholeMatch(of: /[0-9a-f]{32}\.access/) != nil)
        }
        for secret in secrets {
            #expect(secret.text.wholeMatch(of: /[0-9a-f]{64}/) != nil)
        }
    }

    @Test func `the hash is SHA-256 of the text`() {
        let hash = ServiceTokenSecret("abc").hash
        #expect(hash.count == 32)
        #expect(hash.prefix(4).elementsEqual([0xBA, 0x78, 0x16, 0xBF]))
    }

    @Test func `a secret is never printed`() {
        let secret = ServiceTokenSecret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), dumped] { #expect(!text.contains("hunter2")) }
    }

    @Test func `each flaw of what is shown has its verdict`() {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        let (secret, other) = (ServiceTokenSecret.generate(), ServiceTokenSecret.generate())
        func record(_ id: String, expires: Date? = nil) -> ServiceTokenRecord {
            ServiceTokenRecord(
                id: ServiceTokenID(rawValue: id), secretHash: secret.hash, name: id, createdAt: now - 60,
                expiresAt: expires)
        }
        let good = record("good", expires: now + 1)
        let tokens = [good.id: good, ServiceTokenID(rawValue: "late"): record("late", expires: now)]
        func verdict(_ id: String?, _ secret: String?) -> ServiceTokenVerdict {
            tokens.verdict(clientID: id, clientSecret: secret, now: now)
        }
        #expect(verdict("good", secret.text) == .valid(good))
        for (id, secret) in [(nil, nil), ("good", nil), (nil, secret.text), ("", "")] {
            #expect(verdict(id, secret) == .missing)
        }
        for (id, secret) in [
            ("good", other.text), ("good", secret.text + " "), ("GOOD", secret.text), ("unknown", secret.text),
            ("late", other.text),
        ] {
            #expect(verdict(id, secret) == .wrong)
        }
        #expect(verdict("late", secret.text) == .expired)
    }

    @Test func `a record with a broken hash never matches`() {
        let secret = ServiceTokenSecret.generate()
        let id = ServiceTokenID(rawValue: "t")
        for hash in [[], [UInt8](repeating: 0, count: 31), secret.hash + [0], [UInt8](repeating: 0, count: 32)] {
            let tokens = [id: ServiceTokenRecord(id: id, secretHash: hash, name: "t", createdAt: .distantPast)]
            #expect(tokens.verdict(clientID: "t", clientSecret: secret.text, now: .now) == .wrong)
        }
    }
}
