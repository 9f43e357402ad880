import Access
import AccessPolicy
import Crypto
import CryptoExtras
import EdgeStore
import Foundation
import Logging

/// The team's signing keys as the store has them: which one signs, which are published, when a new one is made and an old
/// one forgotten (access-protocol section 3.10).
actor KeyRing {
    enum Failure: Error { case noKey }

    private enum Life {
        static let rotation: TimeInterval = 42 * 86_400
        /// Published so long before it signs: clients look again an hour later at the latest.
        static let notice: TimeInterval = 2 * 3600
        /// Longer than any token lives.
        static let afterlife: TimeInterval = 32 * 86_400
    }

    /// What everybody may know of a key.
    struct Published: Sendable {
        let key: TokenSigner.PublicKey
        let certificatePEM: String
    }

    private struct Loaded {
        var version: Int
        var keys: [SigningKey]
        var signers: [String: (signer: TokenSigner, certificatePEM: String)]
        var verifier: TokenVerifier
    }

    private let store: any ClusterStore
    private let now: @Sendable () -> Date
    private let logger: Logger
    private var loaded: Loaded?
    private var lookedAt = Date.distantPast

    init(store: any ClusterStore, logger: Logger, now: @escaping @Sendable () -> Date) {
        self.store = store
        self.logger = logger
        self.now = now
    }

    // MARK: Use

    /// The newest key whose time to sign has come.
    func signer() async throws -> TokenSigner {
        let loaded = try await current()
        let time = now()
        let ready = loaded.keys.filter { $0.purpose == .tokens && $0.signsFrom <= time }
        guard let newest = ready.max(by: { ($0.signsFrom, $0.id) < ($1.signsFrom, $1.id) }),
            let signer = loaded.signers[newest.id]?.signer
        else { throw Failure.noKey }
        return signer
    }

    func verifier(for token: CompactToken) async throws -> TokenVerifier {
        let known = try await current().verifier
        if known.knowsKey(of: token) { return known }
        // Another edge, or an administrator, may have made a key since.
        guard now().timeIntervalSince(lookedAt) >= 1 else { return known }
        return try await look().verifier
    }

    /// For everybody to check our tokens by, newest first.
    func published() async throws -> [Published] {
        let loaded = try await current()
        return loaded.keys.reversed().compactMap { key in
            loaded.signers[key.id].map {
                Published(key: $0.signer.publicKey, certificatePEM: $0.certificatePEM)
            }
        }
    }

    /// The authority of an application's SSH certificates. Each has its own, so that a certificate for one host opens no
    /// other; all are derived from one key that the store keeps (HKDF, RFC 5869).
    func authority(of application: AccessApplication.ID) async throws -> P256.Signing.PrivateKey {
        guard let key = try await current().keys.last(where: { $0.purpose == .ssh && $0.signsFrom <= now() }) else {
            throw Failure.noKey
        }
        let root = SymmetricKey(
            data: try P256.Signing.PrivateKey(pemRepresentation: key.privateKeyPEM).rawRepresentation)
        // One number in four billion is no key of this curve.
        for attempt in 0..<4 {
            let bytes = HKDF<SHA256>.deriveKey(
                inputKeyMaterial: root, info: Data("ssh authority \(attempt) \(application)".utf8), outputByteCount: 32)
            if let key = try? bytes.withUnsafeBytes({ try P256.Signing.PrivateKey(rawRepresentation: Data($0)) }) {
                return key
            }
        }
        throw Failure.noKey
    }

    // MARK: Upkeep

    /// Makes the keys that are missing or due, retires what they replace, and forgets what nobody needs any more.
    func maintain() async throws {
        let keys = try await look().keys
        let time = now()
        let tokens = keys.filter { $0.purpose == .tokens }
        let nothingSigns = tokens.allSatisfy { $0.signsFrom > time }
        if nothingSigns || tokens.allSatisfy({ $0.createdAt + Life.rotation <= time }) {
            let (id, pem) = try TokenSigner.generateKey()
            // With nothing to sign by, no notice can be given: a removed key may have been a stolen one.
            let from = nothingSigns ? time : time + Life.notice
            try await store.addSigningKey(
                SigningKey(id: id, purpose: .tokens, privateKeyPEM: pem, createdAt: time, signsFrom: from))
            logger.notice("Access signing key made", metadata: ["keyID": "\(id)"])
        }
        if !keys.contains(where: { $0.purpose == .ssh }) {
            let key = P256.Signing.PrivateKey()
            let id = RandomText.hexadecimal(SHA256.hash(data: key.publicKey.derRepresentation))
            try await store.addSigningKey(
                SigningKey(
                    id: id, purpose: .ssh, privateKeyPEM: key.pemRepresentation, createdAt: time, signsFrom: time))
        }
        try await retire(tokens, time)
        _ = try await look()
    }

    private func retire(_ tokens: [SigningKey], _ time: Date) async throws {
        let signing = tokens.filter { $0.signsFrom <= time }
            .max { ($0.signsFrom, $0.id) < ($1.signsFrom, $1.id) }
        for key in tokens {
            if let end = key.retiresAt {
                guard end <= time, key.id != signing?.id else { continue }
                try await store.removeSigningKey(id: key.id)
                logger.notice("Access signing key forgotten", metadata: ["keyID": "\(key.id)"])
            } else if let signing, key.signsFrom < signing.signsFrom {
                try await store.retireSigningKey(id: key.id, at: signing.signsFrom + Life.afterlife)
            }
        }
    }

    private func current() async throws -> Loaded {
        // Whoever removed a key wants its tokens to be worthless now; a look costs one read of the version.
        if let loaded, abs(now().timeIntervalSince(lookedAt)) < 1 { return loaded }
        return try await look()
    }

    private func look() async throws -> Loaded {
        lookedAt = now()
        let version = try await store.version()
        if let loaded, loaded.version == version { return loaded }
        let keys = try await store.signingKeys()
        var signers = [String: (signer: TokenSigner, certificatePEM: String)]()
        for key in keys where key.purpose == .tokens {
            do {
                // A signer that is known stays: reading a key costs more than anything else here.
                signers[key.id] =
                    if let known = loaded?.signers[key.id] { known } else {
                        (
                            try await TokenSigner(privateKeyPEM: key.privateKeyPEM), try KeyCertificate.pem(of: key)
                        )
                    }
            } catch {
                logger.error("Access signing key cannot be read", metadata: ["keyID": "\(key.id)"])
            }
        }
        let fresh = Loaded(
            version: version, keys: keys, signers: signers,
            verifier: try await TokenVerifier(keys: signers.values.map(\.signer.publicKey)))
        // A look that began later may have ended first.
        if let loaded, loaded.version > version { return loaded }
        loaded = fresh
        return fresh
    }
}
