package import TunnelConfig

extension Selector {
    /// Reads a selector as it is written on a command line: `everyone`, `email:ann@example.com`, `group:staff`,
    /// `ip:10.0.0.0/8`, `oidc:PROVIDER:CLAIM=VALUE`. The words before the colon are the official keys.
    package static func parse(_ text: String) throws(ConfigError) -> Selector {
        do throws(ConfigError) {
            var reader = AccessFileReader(path: "")
            guard let node = try reader.values.document(try json(text).text) else { throw ConfigError("is empty") }
            return try reader.selector(AccessFileReader.Entry(name: "", value: node, key: "", line: nil))
        } catch {
            let place = error.key.flatMap { $0.isEmpty ? nil : $0 + " " } ?? ""
            throw ConfigError("\(quoted(text)): \(place)\(error.problem)", suggestion: error.suggestion)
        }
    }

    private static func json(_ text: String) throws(ConfigError) -> JSONText {
        guard let colon = text.firstIndex(of: ":") else { return .string(text) }
        let (key, value) = (String(text[..<colon]), text[text.index(after: colon)...])
        guard key == "oidc" else { return .object([(key, .string(String(value)))]) }
        let parts = value.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let equals = parts[1].firstIndex(of: "=") else {
            throw ConfigError("is not a claim", suggestion: "write oidc:PROVIDER:CLAIM=VALUE")
        }
        return .object([
            (
                key,
                .object([
                    ("identity_provider_id", .string(String(parts[0]))),
                    ("claim_name", .string(String(parts[1][..<equals]))),
                    ("claim_value", .string(String(parts[1][parts[1].index(after: equals)...]))),
                ])
            )
        ])
    }
}
