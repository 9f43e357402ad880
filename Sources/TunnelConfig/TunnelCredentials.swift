package import FoundationEssentials

/// What proves that a connector may serve a tunnel: the content of `<UUID>.json`, or of a run token.
package struct TunnelCredentials: Hashable, Sendable {
    package var accountTag: String
    package var tunnelSecret: TunnelSecret
    package var tunnelID: UUID
    package var endpoint: String?

    package init(accountTag: String, tunnelSecret: TunnelSecret, tunnelID: UUID, endpoint: String? = nil) {
        self.accountTag = accountTag
        self.tunnelSecret = tunnelSecret
        self.tunnelID = tunnelID
        self.endpoint = endpoint
    }

    /// Reads a credentials file. `path` is for messages. Old files have no `TunnelID`: then `reference` stands in.
    package static func parse(json: String, path: String, reference: UUID? = nil) throws(ConfigError)
        -> TunnelCredentials
    {
        let remedy = "fetch it again with: cloudflared tunnel token --credentials-file FILE TUNNEL"
        func fail(_ problem: String, _ suggestion: String) -> ConfigError {
            ConfigError(problem, suggestion: suggestion, file: path)
        }
        if json.contains("-----BEGIN") {
            throw fail(
                "this is a PEM file, not tunnel credentials",
                "give the JSON file of the tunnel here; cert.pem belongs to --origincert")
        }
        guard json.utf8.count <= 65_536 else { throw fail("the file is too long for tunnel credentials", remedy) }
        let file: File
        do {
            file = try JSONDecoder().decode(File.self, from: Data(json.utf8))
        } catch {
            throw fail("the tunnel credentials cannot be read: \(reason(error))", "check the path, or " + remedy)
        }
        guard let secret = Base64Text.decode(file.tunnelSecret), !secret.isEmpty else {
            throw fail("TunnelSecret is not base64", remedy)
        }
        guard !file.accountTag.isEmpty else { throw fail("AccountTag is empty", remedy) }
        var tunnelID = reference
        if let text = file.tunnelID, !text.isEmpty {
            guard let id = UUID(uuidString: text) else { throw fail("TunnelID \(quoted(text)) is not a UUID", remedy) }
            tunnelID = id
        }
        guard let tunnelID, tunnelID.uuidString != Self.zero else {
            throw fail("the file has no TunnelID", "name the tunnel by its UUID: cloudflared tunnel run UUID")
        }
        return TunnelCredentials(
            accountTag: file.accountTag, tunnelSecret: TunnelSecret(secret), tunnelID: tunnelID,
            endpoint: file.endpoint.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// The credentials file, with the members that the official client writes.
    package var json: String {
        JSONText.object([
            ("AccountTag", .string(accountTag)),
            ("TunnelSecret", .string(Data(tunnelSecret.bytes).base64EncodedString())),
            ("TunnelID", .string(tunnelID.lowercased)),
            ("Endpoint", .string(endpoint ?? "")),
        ]).text
    }

    private static let zero = "00000000-0000-0000-0000-000000000000"

    private struct File: Decodable {
        var accountTag: String
        var tunnelSecret: String
        var tunnelID: String?
        var endpoint: String?

        enum CodingKeys: String, CodingKey {
            case accountTag = "AccountTag"
            case tunnelSecret = "TunnelSecret"
            case tunnelID = "TunnelID"
            case endpoint = "Endpoint"
        }
    }
}

/// The run token of `tunnel run --token`: the credentials in one line of base64.
package enum TunnelToken {
    /// Accepts standard and URL base64, padded or not, with white space around.
    package static func parse(_ text: String) throws(ConfigError) -> TunnelCredentials {
        let remedy = "copy the whole token again, or print it with: cloudflared tunnel token TUNNEL"
        guard text.utf8.count <= 16_384 else { throw ConfigError("the tunnel token is too long", suggestion: remedy) }
        guard let bytes = Base64Text.decode(text), !bytes.isEmpty else {
            throw ConfigError("the tunnel token is not valid: it is not base64", suggestion: remedy)
        }
        let content: Content
        do {
            content = try JSONDecoder().decode(Content.self, from: Data(bytes))
        } catch {
            throw ConfigError("the tunnel token is not valid: \(reason(error))", suggestion: remedy)
        }
        guard !content.a.isEmpty, let secret = Base64Text.decode(content.s), !secret.isEmpty else {
            throw ConfigError("the tunnel token is not valid: account or secret is missing", suggestion: remedy)
        }
        guard let id = UUID(uuidString: content.t) else {
            throw ConfigError("the tunnel token is not valid: its tunnel ID is not a UUID", suggestion: remedy)
        }
        return TunnelCredentials(
            accountTag: content.a, tunnelSecret: TunnelSecret(secret), tunnelID: id,
            endpoint: content.e.flatMap { $0.isEmpty ? nil : $0 })
    }

    /// Standard base64 with padding, as the official client and API write it.
    package static func encode(_ credentials: TunnelCredentials) -> String {
        var members: [(String, JSONText)] = [
            ("a", .string(credentials.accountTag)),
            ("s", .string(Data(credentials.tunnelSecret.bytes).base64EncodedString())),
            ("t", .string(credentials.tunnelID.lowercased)),
        ]
        if let endpoint = credentials.endpoint { members.append(("e", .string(endpoint))) }
        return Data(JSONText.object(members).text.utf8).base64EncodedString()
    }

    private struct Content: Decodable {
        var a: String
        var s: String
        var t: String
        var e: String?
    }
}

extension UUID {
    /// As tunnels are named everywhere: Foundation prints upper case.
    package var lowercased: String { uuidString.lowercased() }
}

enum Base64Text {
    /// Standard or URL alphabet, padded or not; white space around is ignored, inside it is not.
    static func decode(_ text: String) -> [UInt8]? {
        var body = Substring(text)
        while body.first?.isWhitespace ?? false { body.removeFirst() }
        while body.last?.isWhitespace ?? false { body.removeLast() }
        while body.utf8.last == UInt8(ascii: "=") { body.removeLast() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.utf8.count)
        for byte in body.utf8 {
            switch byte {
            case UInt8(ascii: "-"): bytes.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): bytes.append(UInt8(ascii: "/"))
            default: bytes.append(byte)
            }
        }
        guard bytes.count % 4 != 1 else { return nil }
        while bytes.count % 4 != 0 { bytes.append(UInt8(ascii: "=")) }
        return Data(base64Encoded: Data(bytes)).map(Array.init)
    }
}

/// A decoding error in a few words, without the values: they may be secrets.
func reason(_ error: any Error) -> String {
    switch error as? DecodingError {
    case .keyNotFound(let key, _): "\(key.stringValue) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
        "\(context.codingPath.last?.stringValue ?? "it") has the wrong type"
    default: "it is not JSON"
    }
}
