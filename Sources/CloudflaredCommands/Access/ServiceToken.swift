import Foundation
import Logging
import ServiceHost

/// Client ID and secret that stand for a machine instead of a person.
struct ServiceToken: Sendable, Equatable {
    var id: String
    var secret: Secret

    init(id: String, secret: Secret) {
        self.id = id
        self.secret = secret
    }

    /// Reads `--service-token-file`: the two lines as they are shown when the token is made
    /// (`CF-Access-Client-Id: …`, `CF-Access-Client-Secret: …`), a JSON object with `client_id` and `client_secret`, or
    /// the secret alone.
    ///
    /// - Parameters:
    ///   - path: for messages.
    ///   - id: what `--service-token-id` says, if it is given; it wins.
    init(parsing text: Secret, path: String, id: String?) throws {
        var found: [String: String] = [:]
        if text.exposed.hasPrefix("{") {
            let object = try? JSONDecoder().decode([String: String].self, from: Data(text.exposed.utf8))
            guard let object else { throw Self.malformed(path) }
            for (name, value) in object { found[name.lowercased()] = value }
        } else {
            let lines = text.exposed.split(whereSeparator: \.isNewline)
            for line in lines {
                guard let mark = line.firstIndex(where: { $0 == ":" || $0 == "=" }) else { continue }
                let value = line[line.index(after: mark)...].trimmed
                found[line[..<mark].trimmed.lowercased()] = value
            }
            if found.isEmpty, lines.count == 1, let id {
                self.init(id: id, secret: Secret(text.exposed))
                return
            }
        }
        func first(_ names: String...) -> String? { names.lazy.compactMap { found[$0] }.first { !$0.isEmpty } }
        guard
            let secret = first("cf-access-client-secret", "client_secret", "tunnel_service_token_secret"),
            let id = id ?? first("cf-access-client-id", "client_id", "tunnel_service_token_id")
        else { throw Self.malformed(path) }
        self.init(id: id, secret: Secret(secret))
    }

    /// What the flags or an entry of the configuration file say; a file goes before a secret.
    ///
    /// - Returns: nil when none is given.
    /// - Throws: ``CommandError`` for half a token, ``HostError`` for a file that cannot be read.
    static func given(id: String?, secret: String?, file: String?, _ context: CommandContext) throws -> ServiceToken? {
        let id = id.flatMap { $0.isEmpty ? nil : $0 }
        let secret = secret.flatMap { $0.isEmpty ? nil : $0 }
        if let file, !file.isEmpty {
            let path = context.path(file)
            let content = try FileSecret(path: path)
            if content.isReadableByAll {
                context.logger.warning("Every user of this host can read \(path); run: chmod 600 \(path)")
            }
            return try ServiceToken(parsing: content.secret, path: path, id: id)
        }
        switch (id, secret) {
        case (nil, nil): return nil
        case (let id?, let secret?): return ServiceToken(id: id, secret: Secret(secret))
        case (_?, nil):
            throw CommandError(
                .usage,
                "--service-token-id is given without its secret; add --service-token-file or "
                    + "TUNNEL_SERVICE_TOKEN_SECRET"
            )
        case (nil, _?):
            throw CommandError(.usage, "a service token's secret is given without its ID; add --service-token-id")
        }
    }

    private static func malformed(_ path: String) -> CommandError {
        CommandError(
            .configuration,
            "\(path) is no service token: write the lines 'CF-Access-Client-Id: …' and 'CF-Access-Client-Secret: "
                + "…' into it"
        )
    }
}
