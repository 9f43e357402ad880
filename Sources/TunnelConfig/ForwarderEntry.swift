/// One entry of `forwarders`: a local port that leads to a service behind an edge (access-protocol section 1.17).
package struct ForwarderEntry: Sendable, Hashable, CustomStringConvertible {
    /// The service, always reached over https.
    package internal(set) var hostname: AccessHostname
    /// Where local programs connect to; no two entries have the same.
    package internal(set) var listener: ListenAddress
    /// Where a bastion shall connect to.
    package internal(set) var destination: JumpDestination?
    package internal(set) var serviceTokenID: String?
    /// The secret itself. Prefer `serviceTokenFile`; never printed.
    package internal(set) var serviceTokenSecret: String?
    /// A file with the secret, or with both, as `--service-token-file` takes it.
    package internal(set) var serviceTokenFile: String?
    /// PEM file of authorities to trust besides the system's.
    package internal(set) var caPool: String?

    init(hostname: AccessHostname, listener: ListenAddress, destination: JumpDestination? = nil) {
        self.hostname = hostname
        self.listener = listener
        self.destination = destination
    }

    package var description: String { "\(listener) to \(hostname.withoutQuery)" }

    /// Reads `LISTEN=HOST[,DESTINATION]`, as `--forward` takes it.
    package static func parse(_ text: String, defaultPort: Int? = nil) throws(ConfigError) -> ForwarderEntry {
        guard let equals = text.firstIndex(of: "=") else {
            throw ConfigError(
                "\(quoted(text)) is no forwarder",
                suggestion: "write LISTEN=HOST, for example localhost:2244=rdp.site.com")
        }
        let rest = text[text.index(after: equals)...].split(
            separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
        var entry = ForwarderEntry(
            hostname: try .parse(String(rest[0])), listener: try .parse(String(text[..<equals])))
        if rest.count == 2 { entry.destination = try .parse(String(rest[1]), defaultPort: defaultPort) }
        return entry
    }
}

extension ForwarderEntry: CustomDebugStringConvertible, CustomReflectable {
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
