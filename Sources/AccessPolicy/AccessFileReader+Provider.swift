import TunnelConfig

extension AccessFileReader {
    /// An identity provider in its official JSON shape (access-protocol section 3.6).
    mutating func provider(_ entry: Entry) throws(ConfigError) -> IdentityProvider {
        let fields = try fields(of: entry, known: ["id", "name", "type", "config"])
        let id = try identifier(fields, of: entry)
        if let type = fields["type"], try values.string(type) != "oidc" {
            throw values.error("is not a known type of provider", at: type, suggestion: "write oidc")
        }
        guard let config = fields["config"] else { throw missing("config", of: entry) }
        return try provider(id, name: try text(fields["name"]), config)
    }

    private mutating func provider(
        _ id: String, name: String?, _ config: Entry
    ) throws(ConfigError) -> IdentityProvider {
        let fields = try self.fields(
            of: config,
            known: [
                "issuer", "client_id", "client_secret", "client_secret_file", "scopes", "claims", "email_claim_name",
                "assume_email_verified", "ca_pool",
            ])
        guard let issuer = fields["issuer"] else { throw missing("issuer", of: config) }
        guard let clientID = try text(fields["client_id"]) else { throw missing("client_id", of: config) }
        var provider = IdentityProvider(
            id: id, name: name, issuer: try self.issuer(issuer), clientID: clientID,
            clientSecret: try secret(fields, of: config))
        if let scopes = fields["scopes"] { provider.scopes = try words(scopes).filter { $0 != "openid" } }
        if let claims = fields["claims"] { provider.claims = try words(claims) }
        if let claim = try text(fields["email_claim_name"]) { provider.emailClaim = claim }
        if let field = fields["assume_email_verified"] { provider.assumesEmailVerified = try values.bool(field) }
        provider.authorityFile = try text(fields["ca_pool"])
        return provider
    }

    private mutating func secret(
        _ fields: [String: Entry], of config: Entry
    ) throws(ConfigError) -> IdentityProvider.ClientSecret {
        switch (fields["client_secret"], fields["client_secret_file"]) {
        case (let secret?, nil):
            let text = try values.string(secret, isSecret: true)
            guard !text.isEmpty, text.utf8.count <= 1024, text.utf8.allSatisfy(isPrintable) else {
                throw values.error("is empty, too long or not printable", at: secret)
            }
            return IdentityProvider.ClientSecret(text)
        case (nil, let file?):
            guard let secrets else {
                throw values.error("cannot be read from here", at: file, suggestion: "write client_secret")
            }
            return IdentityProvider.ClientSecret(try located(file, try values.string(file), secrets))
        case (nil, nil): throw missing("client_secret or client_secret_file", of: config)
        case (_?, let file?):
            throw values.error("is given beside client_secret", at: file, suggestion: "write one of the two")
        }
    }

    /// An https URL without user, query and fragment; a final slash does not count.
    private mutating func issuer(_ entry: Entry) throws(ConfigError) -> String {
        var issuer = try values.string(entry)
        let rest = issuer.utf8.dropFirst("https://".utf8.count)
        guard issuer.utf8.starts(with: "https://".utf8), let first = rest.first, first != UInt8(ascii: "/"),
            issuer.utf8.count <= 1024,
            issuer.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !"?#@\"\\".utf8.contains($0) })
        else {
            throw values.error(
                "is not the address of an issuer", at: entry, suggestion: "write for example https://login.example.com")
        }
        while issuer.utf8.last == UInt8(ascii: "/") { issuer.removeLast() }
        return issuer
    }

    private func words(_ entry: Entry) throws(ConfigError) -> [String] {
        let words = try values.strings(entry)
        for word in words {
            guard (1...256).contains(word.utf8.count), word.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw values.error("\(quoted(word)) is not one word", at: entry)
            }
        }
        return words
    }
}
