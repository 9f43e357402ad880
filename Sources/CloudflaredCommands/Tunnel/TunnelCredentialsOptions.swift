import ArgumentParser
import ControlAPI
import Foundation
import Logging
import ServiceHost
import TunnelConfig

/// Which tunnel a run serves, and what proves that it may. Source: cli-and-config.md sections 1.7.2, 3.2 and 3.3.
struct TunnelCredentialsOptions: ParsableArguments {
    @Option(help: "Run token of the tunnel. Prefer --token-file: a command line can be read by every user of the host.")
    var token: String?

    @Option(help: ArgumentHelp("File with the run token.", valueName: "file"), completion: .file())
    var tokenFile: String?

    @Option(help: ArgumentHelp("Credentials file of the tunnel.", valueName: "file"), completion: .file())
    var credentialsFile: String?

    @Option(help: ArgumentHelp("Content of a credentials file.", valueName: "json"))
    var credentialsContents: String?

    /// The token given by flag, file or service credential; nil when the run names its tunnel otherwise.
    ///
    /// - Parameter hasReference: whether a tunnel is named; then a credential of systemd is not looked for.
    func tokenCredentials(hasReference: Bool, _ context: CommandContext) throws -> TunnelCredentials? {
        if let token, !token.isEmpty { return try TunnelToken.parse(token) }
        if let tokenFile, !tokenFile.isEmpty { return try Self.readToken(context.path(tokenFile), context) }
        if !hasReference, credentialsFile == nil, credentialsContents == nil,
            let directory = context.environment["CREDENTIALS_DIRECTORY"], directory.hasPrefix("/"),
            FileManager.default.isReadableFile(atPath: directory + "/tunnel-token")
        {
            return try Self.readToken(directory + "/tunnel-token", context)
        }
        return nil
    }

    private static func readToken(_ path: String, _ context: CommandContext) throws -> TunnelCredentials {
        let file: FileSecret
        do {
            file = try FileSecret(path: path)
        } catch {
            throw CommandError(.configuration, "cannot read the tunnel token", cause: error)
        }
        if file.isReadableByAll {
            context.logger.warning("Every user of this host can read \(path); run: chmod 600 \(path)")
        }
        do {
            return try TunnelToken.parse(file.secret.exposed)
        } catch {
            throw error.located(file: path)
        }
    }

    /// The credentials of a tunnel that is named by ID or by name.
    func credentials(
        of reference: String, account: AccountOptions, _ context: CommandContext
    ) async throws -> TunnelCredentials {
        let id = UUID(uuidString: reference)
        if let credentialsContents, !credentialsContents.isEmpty {
            return try Self.checked(
                TunnelCredentials.parse(json: credentialsContents, path: "--credentials-contents", reference: id), id)
        }
        if let credentialsFile, !credentialsFile.isEmpty {
            // A name is as good as the ID in the file: it is what the account API would have answered.
            return try Self.checked(CredentialsFile.read(context.path(credentialsFile), reference: id), id)
        }
        let certificatePath = account.certificatePath(context)
        let found: UUID
        if let id {
            found = id
        } else if certificatePath != nil {
            found = try await account.withClient(context) {
                try await $0.tunnelID(of: reference, filter: account.filter())
            }
        } else {
            throw CommandError(
                .configuration,
                "\"\(reference)\" is not a tunnel ID, and without an account certificate no name can be looked "
                    + "up; give the "
                    + "ID, --credentials-file or --origincert")
        }
        let path = context.searchPaths.credentialsFile(tunnelID: found.lowercased, certificatePath: certificatePath)
        guard let path else {
            throw CommandError(
                .configuration,
                "no credentials file \(found.lowercased).json next to cert.pem or in "
                    + context.searchPaths.directories.joined(separator: ", ")
                    + "; name it with --credentials-file, or run with --token")
        }
        return try Self.checked(CredentialsFile.read(path, reference: found), found)
    }

    private static func checked(_ credentials: TunnelCredentials, _ id: UUID?) throws -> TunnelCredentials {
        if let id, credentials.tunnelID != id {
            throw CommandError(
                .configuration,
                "the credentials belong to the tunnel \(credentials.tunnelID.lowercased), not to \(id.lowercased)")
        }
        return credentials
    }
}
