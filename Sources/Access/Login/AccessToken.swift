package import Foundation

/// What opens an application, or as the team's token the way to all of them. Never printed.
package struct AccessToken: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The compact JWT. Name it only where it goes on the wire, into its file, or to the user who asked for it.
    package let text: String
    package let audience: [String]
    package let issuer: String?
    /// Seconds since 1970.
    package let expiry: Int64

    /// Reads what a stored or received token says of itself; the signature is for the server to check. Nil when it is none
    /// that a server could accept (access-protocol section 2.2).
    package init?(_ text: String) {
        let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard let token = CompactToken(text), token.algorithm == "RS256" else { return nil }
        let payload = text.split(separator: ".", omittingEmptySubsequences: false)[1]
        guard let bytes = Base64URL.decode(payload), let body = try? JSONDecoder().decode(Body.self, from: Data(bytes))
        else { return nil }
        self.text = text
        audience = body.aud.values
        issuer = body.iss
        expiry = body.exp
    }

    package func isLive(at now: Date) -> Bool { now.timeIntervalSince1970 <= Double(expiry) }

    package var description: String { "(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }

    private struct Body: Decodable {
        var aud: Audience
        var iss: String?
        var exp: Int64
    }

    /// One text, or several.
    private struct Audience: Decodable {
        var values: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            values = try (try? [container.decode(String.self)]) ?? container.decode([String].self)
        }
    }
}
