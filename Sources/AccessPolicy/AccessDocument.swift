/// One thing of the Access configuration as a store keeps it: an application with its policies, a group, and so on.
///
/// The JSON has the shape of an entry of `access.yml`. It may hold a secret (an identity provider's), so descriptions
/// leave it out.
package struct AccessDocument: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        case application, group
        case ipList = "ip_list"
        case identityProvider = "identity_provider"
        /// What belongs to no single thing; there is one such document.
        case settings
    }

    package let kind: Kind
    package let id: String
    package let json: String

    package init(kind: Kind, id: String, json: String) {
        self.kind = kind
        self.id = id
        self.json = json
    }

    /// What is to become of a document.
    package enum Change: Hashable, Sendable {
        /// Adds it, or replaces the one of its kind and id.
        case put(AccessDocument)
        /// It has to be there.
        case remove(Kind, id: String)
    }

    /// The id of the document of settings.
    package static let settingsID = "settings"

    package var description: String { "\(kind.rawValue) \(id)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
