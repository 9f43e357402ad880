import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `access app add HOST --open | --service-token CLIENT_ID…`.
package struct AccessAppAddCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Open a hostname: to everyone, or to holders of service tokens. Replaces what was said before.")

    @Argument(help: ArgumentHelp("A hostname of the zone; * stands for any text inside one part.", valueName: "HOST"))
    package var host: String

    @Flag(help: "Let everyone in.")
    package var open = false

    @Option(
        name: .customLong("service-token"), parsing: .singleValue,
        help: ArgumentHelp("Let holders of this token in; may be given several times.", valueName: "CLIENT_ID"))
    package var serviceTokens: [String] = []

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        guard open == serviceTokens.isEmpty else {
            throw ValidationError("say who may visit: either --open or --service-token CLIENT_ID")
        }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        let hostname = try administration.account.applicationHostname(host)
        let application: AccessApplication =
            open
            ? .open(hostname) : .forServiceTokens(try await administration.recordIDs(of: serviceTokens), at: hostname)
        try await administration.store.changeAccess([.put(AccessDocument(application))], expecting: nil)
        var text =
            open
            ? "\(hostname) is open to everyone"
            : "\(hostname) is open to holders of \(Set(serviceTokens).sorted().joined(separator: ", "))"
        if try await administration.store.routing().tunnel(for: hostname.text) == nil, !hostname.isWildcard {
            text +=
                "\nNo tunnel serves it yet: cloudflared-edge route add '\(hostname)' TUNNEL --data-dir "
                + administration.givenPath
        }
        return try Report(
            text,
            json: Added(
                id: hostname.text, hostname: hostname.text, access: application.word,
                serviceTokens: Set(serviceTokens).sorted()))
    }

    private struct Added: Encodable {
        let id, hostname, access: String
        let serviceTokens: [String]
    }
}

extension Account {
    /// The hostname of an application: inside the zone, in ASCII.
    func applicationHostname(_ text: String) throws -> ApplicationHostname {
        guard let ascii = DomainName.ascii(text), let hostname = ApplicationHostname(ascii) else {
            throw StoreError(.invalid, "\"\(text)\" is not a hostname: write it like rdp.\(zone) or *.\(zone)")
        }
        guard hostname.text == zone || hostname.text.hasSuffix(".\(zone)") else {
            throw StoreError(
                .hostnameRefused, "\(text) is not inside this edge's zone \(zone); use a name that ends in .\(zone)")
        }
        return hostname
    }
}
