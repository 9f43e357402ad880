package import Foundation

/// A private key of the team, as the store keeps it. Every description leaves the key itself out.
package struct SigningKey: Hashable, Sendable, Identifiable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package enum Purpose: String, Hashable, Sendable, CaseIterable {
        /// Signs what visitors and connectors are given.
        case tokens
        /// The authority of SSH certificates.
        case ssh
    }

    /// 64 hexadecimal digits; the `kid` of tokens.
    package let id: String
    package let purpose: Purpose
    package let privateKeyPEM: String
    package let createdAt: Date
    /// Published from the first, but not used earlier, so that everybody has read it by then.
    package let signsFrom: Date
    /// When it is forgotten; nil while it or nothing newer signs.
    package var retiresAt: Date?

    package init(
        id: String, purpose: Purpose, privateKeyPEM: String, createdAt: Date, signsFrom: Date, retiresAt: Date? = nil
    ) {
        self.id = id
        self.purpose = purpose
        self.privateKeyPEM = privateKeyPEM
        self.createdAt = createdAt
        self.signsFrom = signsFrom
        self.retiresAt = retiresAt
    }

    package var description: String { "\(purpose.rawValue) key \(id)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
