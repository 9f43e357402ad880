import Access
import ArgumentParser
import Foundation
import Logging
import ServiceHost
import TunnelConfig

/// `login` and `tunnel login`: gets the account certificate that `tunnel` commands want. Source: access-protocol.md
/// section 4.
struct LoginCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Log in to the account and keep its certificate in ~/.cloudflared/cert.pem.",
        discussion: """
            cloudflared login --loginURL https://acme.site.com:8443/argotunnel --access-store-url https://login.site.com:8443/
            Without these two it asks Cloudflare.
            """)

    @Option(
        name: .customLong("loginURL"),
        help: ArgumentHelp("Page of the account where a person logs in.", valueName: "url"))
    var loginURL: String?

    @Option(
        name: .customLong("callbackURL"),
        help: ArgumentHelp("Where that page leaves the certificate; the store unless given.", valueName: "url"))
    var callbackURL: String?

    @Option(help: ArgumentHelp("Where the certificate is fetched, for an edge of your own.", valueName: "url"))
    var accessStoreURL: String?

    @Option(
        help: ArgumentHelp("Trust the certificates in this PEM file besides the system's.", valueName: "file"),
        completion: .file())
    var cacert: String?

    @Flag(help: "Log in where FedRAMP accounts do (-f).")
    var fedramp = false

    @OptionGroup(title: "Log") var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let store = TokenStore(environment: context.environment)
        let path = store.path("cert.pem")
        try store.prepare()
        if let size = (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? NSNumber, size.intValue > 0
        {
            throw CommandError(
                .configuration, "there is a certificate already at \(path): move it away to log in again")
        }
        let settings = LoginSettings(domains: [], storeURL: accessStoreURL, isFedRAMP: fedramp)
        let dashboard =
            fedramp ? "https://dash.fed.cloudflare.com/argotunnel" : "https://dash.cloudflare.com/argotunnel"
        let page = try Self.url(loginURL ?? dashboard, of: "--loginURL")
        let callback = try callbackURL.map { try Self.url($0, of: "--callbackURL") } ?? settings.store()
        let login = try settings.login(
            context, authorityFiles: cacert.map { [context.path($0)] } ?? [], presenter: ConsolePrompt(context))
        var certificate = try await Interruption.stopping {
            try await login.accountCertificate(loginURL: page, callbackURL: callback, path: path)
        }
        if fedramp { certificate.endpoint = "fed" }
        try store.write(certificate.pem, to: "cert.pem")
        context.logger.info(
            "You have successfully logged in. The certificate is saved", metadata: ["path": "\(path)"])
    }

    private static func url(_ text: String, of flag: String) throws -> WebURL {
        guard let url = WebURL(text) else {
            throw CommandError(.usage, "\(flag) \"\(text)\" is no https:// address")
        }
        return url
    }
}
