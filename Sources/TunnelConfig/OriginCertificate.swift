import FoundationEssentials

/// The account certificate `cert.pem`: which zone and account commands act on, and the token that lets them.
package struct OriginCertificate: Hashable, Sendable {
    package var zoneID: String
    package var accountID: String
    package var apiToken: APIToken
    /// Lower case. `fed` selects FedRAMP hosts.
    package var endpoint: String?

    package init(zoneID: String, accountID: String, apiToken: APIToken, endpoint: String? = nil) {
        self.zoneID = zoneID
        self.accountID = accountID
        self.apiToken = apiToken
        self.endpoint = endpoint?.lowercased()
    }

    /// Reads cert.pem. Old files also hold a private key and a certificate, which are skipped.
    package static func parse(pem: String, path: String) throws(ConfigError) -> OriginCertificate {
        let remedy = "take cert.pem from the edge's data directory, where cloudflared-edge init wrote it"
        func fail(_ problem: String) -> ConfigError { ConfigError(problem, suggestion: remedy, file: path) }
        guard pem.utf8.count <= 1 << 20 else { throw fail("the file is too long for an account certificate") }
        var token: [UInt8]?
        for block in try PEMText.blocks(pem, fail) {
            switch block.label {
            case "PRIVATE KEY", "CERTIFICATE": continue
            case "ARGO TUNNEL TOKEN":
                guard token == nil else { throw fail("the file holds two tunnel tokens") }
                token = block.bytes
            default:
                throw fail("the file holds the unknown block \(quoted(block.label))")
            }
        }
        guard let token else { throw fail("the file holds no tunnel token") }
        let content: Content
        do {
            content = try JSONDecoder().decode(Content.self, from: Data(token))
        } catch {
            throw fail("the tunnel token in the file cannot be read: \(reason(error))")
        }
        guard let zone = content.zoneID, !zone.isEmpty, let apiToken = content.apiToken, !apiToken.isEmpty else {
            throw fail("the tunnel token in the file has no zone or no API token")
        }
        guard let account = content.accountID, !account.isEmpty else {
            throw fail("the file has no account, so it was made by an old client")
        }
        let endpoint = content.endpoint.flatMap { $0.isEmpty ? nil : $0 }
        return OriginCertificate(zoneID: zone, accountID: account, apiToken: APIToken(apiToken), endpoint: endpoint)
    }

    /// The file to write, mode 0600.
    package var pem: String {
        var members: [(String, JSONText)] = [
            ("zoneID", .string(zoneID)), ("accountID", .string(accountID)), ("apiToken", .string(apiToken.text)),
        ]
        if let endpoint { members.append(("endpoint", .string(endpoint))) }
        return PEMText.encode(label: "ARGO TUNNEL TOKEN", Array(JSONText.object(members).text.utf8))
    }

    private struct Content: Decodable {
        var zoneID: String?
        var accountID: String?
        var apiToken: String?
        var endpoint: String?
    }
}

/// PEM blocks (RFC 7468). Text between blocks is ignored.
enum PEMText {
    struct Block {
        var label: String
        var bytes: [UInt8]
    }

    static func blocks(_ text: String, _ fail: (String) -> ConfigError) throws(ConfigError) -> [Block] {
        var blocks: [Block] = []
        var open: (label: String, body: String)?
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.trimmingSpaces()
            if let label = marker("-----BEGIN ", trimmed) {
                guard open == nil else { throw fail("the PEM block \(quoted(label)) starts inside another") }
                open = (label, "")
            } else if let label = marker("-----END ", trimmed) {
                guard let block = open, block.label == label else { throw fail("a PEM block ends that did not start") }
                guard let bytes = Base64Text.decode(block.body) else {
                    throw fail("the PEM block \(quoted(label)) is not base64")
                }
                blocks.append(Block(label: label, bytes: bytes))
                open = nil
            } else if open != nil, !trimmed.contains(":") {
                open?.body += trimmed
            }
        }
        if let open { throw fail("the PEM block \(quoted(open.label)) has no end") }
        return blocks
    }

    static func encode(label: String, _ bytes: [UInt8]) -> String {
        var lines = ["-----BEGIN \(label)-----"]
        var rest = Substring(Data(bytes).base64EncodedString())
        while !rest.isEmpty {
            lines.append(String(rest.prefix(64)))
            rest = rest.dropFirst(64)
        }
        lines.append("-----END \(label)-----")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func marker(_ start: String, _ line: Substring) -> String? {
        guard line.hasPrefix(start), line.hasSuffix("-----"), line.utf8.count >= start.utf8.count + 5 else {
            return nil
        }
        return String(line.dropFirst(start.count).dropLast(5))
    }
}

extension Substring {
    func trimmingSpaces() -> Substring {
        var body = self
        while body.first?.isWhitespace ?? false { body.removeFirst() }
        while body.last?.isWhitespace ?? false { body.removeLast() }
        return body
    }
}
