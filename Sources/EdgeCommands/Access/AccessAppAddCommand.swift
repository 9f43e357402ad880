package import AccessPolicy
package import ArgumentParser
import EdgeStore
import Foundation
import TunnelConfig

/// `access app add HOST --open | --service-token CLIENT_ID… | --allow SELECTOR…`.
package struct AccessAppAddCommand: AdministrationCommand {
    package static let configuration = CommandConfiguration(
        commandName: "add",
        abstract:
            "Open a hostname: to everyone, to holders of service tokens, or to who logs in. Replaces what was said before."
    )

    @Argument(help: ArgumentHelp("A hostname of the zone; * stands for any text inside one part.", valueName: "HOST"))
    package var host: String

    @Flag(help: "Let everyone in.")
    package var open = false

    @Option(
        name: .customLong("service-token"), parsing: .singleValue,
        help: ArgumentHelp("Let holders of this token in; may be given several times.", valueName: "CLIENT_ID"))
    package var serviceTokens: [String] = []

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Let in who logs in and is meant: everyone, email:A, email_domain:D, group:ID, …; several may be given.",
            valueName: "SELECTOR"))
    package var allow: [String] = []

    @Option(help: "self_hosted, ssh, rdp, smb, tcp or bastion; all but the first carry TCP, for programs only.")
    package var type: AccessApplication.Kind = .selfHosted

    @Option(
        name: .customLong("destination"), parsing: .singleValue,
        help: ArgumentHelp(
            "Where a bastion may go on to: host:port or block:port; several may be given.", valueName: "D"))
    package var destinations: [String] = []

    @Option(help: ArgumentHelp("How long a login counts: 0s to 744h; 24h without.", valueName: "T"))
    package var sessionDuration: String?

    @OptionGroup package var place: DataDirectoryOptions

    package init() {}

    package func validate() throws {
        guard open == (serviceTokens.isEmpty && allow.isEmpty) else {
            throw ValidationError("say who may visit: either --open, or --service-token CLIENT_ID and --allow SELECTOR")
        }
        guard (type == .bastion) != destinations.isEmpty else {
            throw ValidationError(
                destinations.isEmpty
                    ? "say where the bastion may lead: --destination HOST:PORT or --destination BLOCK:PORT"
                    : "--destination is for bastions: add --type bastion")
        }
    }

    package func perform(_ administration: Administration) async throws -> Report {
        let hostname = try administration.account.applicationHostname(host)
        let application = try await application(at: hostname, administration)
        try await administration.edit("application \(hostname) set") { _ in [.put(AccessDocument(application))] }
        var text = "\(hostname) is open to \(visitors)"
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

    private func application(
        at hostname: ApplicationHostname, _ administration: Administration
    ) async throws -> AccessApplication {
        var application: AccessApplication =
            open
            ? .open(hostname)
            : .forServiceTokens(try await administration.recordIDs(of: serviceTokens), at: hostname)
        if !allow.isEmpty {
            let criteria = Criteria(include: try await administration.selectors(allow))
            application.policies.append(Policy(id: "allow", action: .allow, criteria: criteria))
        }
        application.kind = type
        application.sessionDuration = try sessionDuration.map { try SessionDuration.parse($0) }
        if !destinations.isEmpty {
            application.destinations = [DestinationGrant(destinations: try DestinationAllowList(destinations))]
        }
        return application
    }

    private var visitors: String {
        if open { return "everyone" }
        let tokens = Set(serviceTokens).sorted().joined(separator: ", ")
        return [
            tokens.isEmpty ? nil : "holders of \(tokens)",
            allow.isEmpty ? nil : "who logs in as \(allow.joined(separator: " or "))",
        ].compactMap { $0 }.joined(separator: " and to ")
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

extension AccessApplication.Kind: ExpressibleByArgument {}
