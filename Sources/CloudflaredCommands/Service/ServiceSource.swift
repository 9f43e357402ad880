import Foundation
import ServiceHost
import TunnelConfig

/// What a service is installed from: a token, or a configuration file that names its tunnel.
struct ServiceSource {
    struct Configuration {
        var path: String
        var text: String
    }

    var credentials: TunnelCredentials
    /// Nil when the tunnel came as a token.
    var configuration: Configuration?

    static func find(
        token: String?, tokenFile: String?, configuration path: String?, _ context: CommandContext
    ) throws -> ServiceSource {
        if let token { return ServiceSource(credentials: try TunnelToken.parse(token)) }
        if let tokenFile {
            let file = try FileSecret(path: context.path(tokenFile))
            return ServiceSource(credentials: try TunnelToken.parse(file.secret.exposed))
        }
        guard let file = try ConfigurationFile.load(path: path, context.environment) else {
            throw CommandError(
                .configuration,
                "no token is given, and there is no config.yml or config.yaml in "
                    + context.searchPaths.directories.joined(separator: ", ")
                    + "; give the token, or name the file with --config")
        }
        return ServiceSource(
            credentials: try credentials(of: file, context),
            configuration: Configuration(
                path: file.path, text: try SmallFile.read(file.path, limit: ConfigurationFile.maximumSize).text))
    }

    private static func credentials(of file: ConfigFile, _ context: CommandContext) throws -> TunnelCredentials {
        guard let tunnel = file.tunnel, !tunnel.isEmpty else {
            throw CommandError(
                .configuration,
                "\(file.path) names no tunnel; add `tunnel: ID` and `credentials-file: ID.json`, or give the token")
        }
        let id = UUID(uuidString: tunnel)
        let named = file.credentialsFile.map(context.path)
        let found = id.flatMap {
            context.searchPaths.credentialsFile(tunnelID: $0.lowercased, certificatePath: file.path)
        }
        guard let path = named ?? found else {
            throw CommandError(
                .configuration,
                "\(file.path) names the tunnel \(OutputText.safe(tunnel)) and no credentials; add "
                    + "`credentials-file: FILE`, or give the token")
        }
        let credentials = try CredentialsFile.read(path, reference: id)
        if let id, id != credentials.tunnelID {
            throw CommandError(
                .configuration,
                "\(path) belongs to the tunnel \(credentials.tunnelID.lowercased), and \(file.path) names \(id.lowercased)"
            )
        }
        try checkPaths(of: file)
        return credentials
    }

    /// Files that the copy names must be found from its new place, by an account that sees no home directory.
    private static func checkPaths(of file: ConfigFile) throws {
        let text = try SmallFile.read(file.path, limit: ConfigurationFile.maximumSize).text
        let paths = [file.cacert, file.string("origin-ca-pool")] + file.ingress.map(\.originRequest.caPool)
        for path in Set(paths.compactMap { $0 }).sorted() {
            let isHidden = ["~", "/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"].contains { path.hasPrefix($0) }
            guard isHidden || !text.contains(path), !file.path.hasPrefix("/etc/cloudflared/") else { continue }
            throw CommandError(
                .configuration,
                "the service would not find \(OutputText.safe(path)), which \(file.path) names; put that file into "
                    + "/etc/cloudflared and name it by its full path")
        }
    }
}
