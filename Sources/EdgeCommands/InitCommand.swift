package import ArgumentParser
import EdgeStore
import Foundation

/// `init`: makes the data directory of a new edge.
package struct InitCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new edge: authority, certificates, account, database, edge.yml. Never overwrites.")

    @OptionGroup package var place: DataDirectoryOptions

    @Option(help: ArgumentHelp("The domain inside which hostnames are served, such as site.test.", valueName: "Z"))
    package var zone: String

    @Option(help: ArgumentHelp("Label of the Access team domain T.Z.", valueName: "T"))
    package var team: String = "access"

    @Option(help: ArgumentHelp("Your certificate for connectors; must carry h2.cftunnel.com.", valueName: "F"))
    package var tunnelCert: String?

    @Option(help: ArgumentHelp("Its key.", valueName: "F"))
    package var tunnelKey: String?

    @Option(help: ArgumentHelp("Your certificate for visitors and the account API.", valueName: "F"))
    package var visitorCert: String?

    @Option(help: ArgumentHelp("Its key.", valueName: "F"))
    package var visitorKey: String?

    @Option(help: ArgumentHelp("Address for connectors, written to edge.yml.", valueName: "A"))
    package var tunnelListen: String = EdgeSettings.defaultTunnelListen

    @Option(help: ArgumentHelp("Address for visitors and the account API, written to edge.yml.", valueName: "A"))
    package var httpsListen: String = EdgeSettings.defaultHTTPSListen

    package init() {}

    package func validate() throws {
        guard (tunnelCert == nil) == (tunnelKey == nil) else {
            throw ValidationError("--tunnel-cert and --tunnel-key must be given together")
        }
        guard (visitorCert == nil) == (visitorKey == nil) else {
            throw ValidationError("--visitor-cert and --visitor-key must be given together")
        }
    }

    package func run() async throws {
        try await outcome().print(as: place.output)
    }

    package func outcome() async throws -> Report {
        var plan = DataDirectory.Plan(zone: zone)
        plan.team = team
        plan.tunnelListen = tunnelListen
        plan.httpsListen = httpsListen
        plan.tunnelFiles = files(tunnelCert, tunnelKey)
        plan.visitorFiles = files(visitorCert, visitorKey)
        let directory = try await DataDirectory.initialize(at: place.dataDirectory, plan: plan)
        let store = try await directory.openStore()
        let account = try await store.account()
        try store.close()
        let path = place.dataDirectory
        let text = """
            Made an edge for \(account.zone) in \(directory.path).
            Give connectors \(directory.path(of: .authority)) (--cacert) and, to those that make tunnels themselves, \
            \(directory.path(of: .accountCertificate)) (--origincert, a secret).
            Next:
              cloudflared-edge tunnel create NAME --data-dir \(path)
              cloudflared-edge route add HOST.\(account.zone) NAME --data-dir \(path)
              cloudflared-edge access app add HOST.\(account.zone) --open --data-dir \(path)
              cloudflared-edge run --data-dir \(path)
            """
        return try Report(
            text,
            json: Summary(
                dataDir: directory.path, zone: account.zone, team: account.team, id: account.id,
                zoneId: account.zoneID, cacert: directory.path(of: .authority),
                origincert: directory.path(of: .accountCertificate)))
    }

    private func files(_ certificate: String?, _ key: String?) -> EdgeSettings.Files? {
        guard let certificate, let key else { return nil }
        return EdgeSettings.Files(certificate: certificate, key: key)
    }

    private struct Summary: Encodable {
        let dataDir, zone, team, id, zoneId, cacert, origincert: String
    }
}
