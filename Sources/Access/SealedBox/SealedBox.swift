import CSodium

/// NaCl's box: what the transfer store carries from the Access service to the client (access-protocol section 2.11).
///
/// On the wire `nonce(24) || tag(16) || ciphertext`.
package enum SealedBox {
    /// An X25519 public key, 32 bytes.
    package struct PublicKey: Hashable, Sendable {
        package let bytes: [UInt8]

        package init?(bytes: [UInt8]) {
            guard bytes.count == Int(crypto_box_PUBLICKEYBYTES) else { return nil }
            self.bytes = bytes
        }

        /// As it stands in URLs and headers.
        package init?(text: some StringProtocol) {
            guard text.utf8.count <= 64, let bytes = Base64URL.decode(text) else { return nil }
            self.init(bytes: bytes)
        }

        package var text: String { Base64URL.encode(bytes, isPadded: true) }
    }

    /// Lives in memory only, for one transfer. Its description is redacted.
    package struct KeyPair: Sendable, CustomStringConvertible, CustomReflectable {
        package let publicKey: PublicKey
        fileprivate let secretKey: [UInt8]

        /// Fresh from the system's random numbers. Nil when the library cannot be used.
        package static func generate() -> KeyPair? {
            guard isReady else { return nil }
            var publicKey = [UInt8](repeating: 0, count: Int(crypto_box_PUBLICKEYBYTES))
            var secretKey = [UInt8](repeating: 0, count: Int(crypto_box_SECRETKEYBYTES))
            guard crypto_box_keypair(&publicKey, &secretKey) == 0 else { return nil }
            return PublicKey(bytes: publicKey).map { KeyPair(publicKey: $0, secretKey: secretKey) }
        }

        /// For test vectors. Nil unless it is 32 bytes.
        package init?(secretKey: [UInt8]) {
            guard isReady, secretKey.count == Int(crypto_box_SECRETKEYBYTES) else { return nil }
            var publicKey = [UInt8](repeating: 0, count: Int(crypto_box_PUBLICKEYBYTES))
            guard crypto_scalarmult_base(&publicKey, secretKey) == 0, let key = PublicKey(bytes: publicKey) else {
                return nil
            }
            self.init(publicKey: key, secretKey: secretKey)
        }

        private init(publicKey: PublicKey, secretKey: [UInt8]) {
            self.publicKey = publicKey
            self.secretKey = secretKey
        }

        package var description: String { "key pair of \(publicKey.text), secret redacted" }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    package static let nonceBytes = Int(crypto_box_NONCEBYTES)
    private static let tagBytes = Int(crypto_box_MACBYTES)

    /// - Parameter nonce: for test vectors; nil: a random one.
    /// - Returns: nil for a recipient whose key would make the shared secret zero.
    package static func seal(
        _ message: [UInt8], to recipient: PublicKey, from sender: KeyPair, nonce: [UInt8]? = nil
    ) -> [UInt8]? {
        var own = [UInt8](repeating: 0, count: nonceBytes)
        randombytes_buf(&own, nonceBytes)
        let nonce = nonce ?? own
        guard nonce.count == nonceBytes else { return nil }
        var sealed = [UInt8](repeating: 0, count: message.count + tagBytes)
        let result = crypto_box_easy(
            &sealed, message, UInt64(message.count), nonce, recipient.bytes, sender.secretKey)
        return result == 0 ? nonce + sealed : nil
    }

    /// Nil for what is too short, was changed, or is for somebody else.
    package static func open(_ wire: [UInt8], from sender: PublicKey, with recipient: KeyPair) -> [UInt8]? {
        guard wire.count >= nonceBytes + tagBytes else { return nil }
        let sealed = Array(wire[nonceBytes...])
        var message = [UInt8](repeating: 0, count: sealed.count - tagBytes)
        let result = crypto_box_open_easy(
            &message, sealed, UInt64(sealed.count), Array(wire[..<nonceBytes]), sender.bytes, recipient.secretKey)
        return result == 0 ? message : nil
    }
}

/// The library wants to be told once; asking again is harmless.
private let isReady = sodium_init() >= 0
