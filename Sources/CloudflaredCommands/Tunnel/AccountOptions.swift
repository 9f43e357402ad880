import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

/// Flags of every command that asks the account API.
struct AccountOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Account certificate. Without it the first cert.pem in the directories of --config.", valueName: "file"),
        completion: .file())
    var origincert: String?

    @Option(help: ArgumentHelp("Base of the account API.", valueName: "url"))
    var apiURL = "https://api.cloudflare.com/client/v4"

    @Option(
        help: ArgumentHelp(
            "Trust the certificates in this PEM file besides the system's, for the edge and the account API.",
            valueName: "file"), completion: .file())
    var cacert: String?

    @Option(help: ArgumentHelp("Items per page of list calls.", visibility: .hidden))
    var maxFetchSize: Int?

    /// The certificate file, given or found; nil when there is none.
    func certificatePath(_ context: CommandContext) -> String? {
        origincert.map(context.path) ?? context.searchPaths.accountCertificate
    }

    func certificate(_ context: CommandContext) throws -> OriginCertificate {
        guard let path = certificatePath(context) else {
            throw CommandError(
                .configuration,
                "no account certificate found; name your edge's cert.pem with --origincert, or put it into one of "
                    + context.searchPaths.directories.joined(separator: ", "))
        }
        let text: String
        do {
            text = try SmallFile.read(path, limit: 1 << 20).text
        } catch {
            throw CommandError(.configuration, "cannot read the account certificate", cause: error)
        }
        return try OriginCertificate.parse(pem: text, path: path)
    }

    /// Runs `body` with a client of the account API.
    func withClient<Value>(
        _ context: CommandContext, _ body: (ControlAPIClient) async throws -> Value
    ) async throws -> Value {
        var configuration = ControlAPIClient.Configuration(
            baseURL: apiURL, account: try certificate(context), version: Version.current)
        configuration.environment = context.environment
        configuration.authorityFiles = cacert.map { [context.path($0)] } ?? []
        return try await ControlAPIClient.with(configuration, logger: context.logger, body)
    }

    func filter() -> APITunnelFilter {
        var filter = APITunnelFilter()
        if let maxFetchSize, maxFetchSize > 0 { filter.perPage = maxFetchSize }
        return filter
    }
}

extension ControlAPIClient {
    /// The tunnel behind a UUID or the name of exactly one live tunnel.
    func tunnelID(of reference: String, filter: APITunnelFilter = APITunnelFilter()) async throws -> UUID {
        if let id = UUID(uuidString: reference) { return id }
        var filter = filter
        filter.name = reference
        // A server may match more than the whole name.
        let found = try await tunnels(filter).filter { $0.name == reference && $0.deletedAt == nil }
        guard let only = found.first, found.count == 1 else {
            throw CommandError(
                .failure,
                found.isEmpty
                    ? "\"\(reference)\" is neither the ID nor the name of a tunnel; see 'cloudflared tunnel list'"
                    : "there are \(found.count) tunnels named \"\(reference)\"; use the ID instead")
        }
        return only.id
    }
}
