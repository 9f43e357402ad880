import Access
import AccessClient
import ArgumentParser
import ServiceHost
import TunnelConfig

/// Flags of every command that may log in to an application behind Access.
struct LoginOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Trust this team domain besides those of Cloudflare: that of a team of your own. Repeat it for several.",
            valueName: "host[:port]"))
    var authDomain: [String] = []

    @Option(help: ArgumentHelp("Where a login leaves its tokens, for a team of your own.", valueName: "url"))
    var accessStoreURL: String?

    @Option(
        help: ArgumentHelp("Trust the certificates in this PEM file besides the system's.", valueName: "file"),
        completion: .file())
    var cacert: String?

    @Flag(help: "Log in where FedRAMP accounts do.")
    var fedramp = false

    func authorityFiles(_ context: CommandContext) -> [String] { cacert.map { [context.path($0)] } ?? [] }

    var settings: LoginSettings {
        LoginSettings(domains: authDomain, storeURL: accessStoreURL, isFedRAMP: fedramp)
    }

    /// - Parameter hostname: of which `connectTo` speaks.
    func login(
        _ context: CommandContext, hostname: AccessHostname? = nil, connectTo: ConnectTo? = nil,
        closesPage: Bool = false,
        presenter: (any LoginPresenter)? = nil
    ) throws -> AccessLogin {
        try settings.login(
            context, authorityFiles: authorityFiles(context), hostname: hostname, connectTo: connectTo,
            closesPage: closesPage, presenter: presenter ?? ConsolePrompt(context))
    }
}

/// Whom logins trust, from flags, or from environment and configuration file where there are none.
struct LoginSettings {
    var domains: [String]
    var storeURL: String?
    var isFedRAMP = false

    init(domains: [String], storeURL: String?, isFedRAMP: Bool = false) {
        self.domains = domains
        self.storeURL = storeURL
        self.isFedRAMP = isFedRAMP
    }

    /// For a daemon: `auth-domain` and `access-store-url` of its file, and the variables of the flags of `access`.
    init(_ context: CommandContext) {
        let variable = context.environment["TUNNEL_ACCESS_AUTH_DOMAINS"] ?? ""
        domains = variable.split(separator: ",").map(\.trimmed).filter { !$0.isEmpty }
        if domains.isEmpty { domains = context.configuration?.strings("auth-domain") ?? [] }
        let store = context.environment["TUNNEL_ACCESS_STORE_URL"] ?? ""
        storeURL = store.isEmpty ? context.configuration?.string("access-store-url") : store
    }

    /// The store's address, checked; it ends with a slash.
    ///
    /// - Throws: ``CommandError`` (usage).
    func store() throws -> WebURL {
        let official = isFedRAMP ? "https://login.fed.cloudflareaccess.org/" : "https://login.cloudflareaccess.org/"
        let text = storeURL ?? official
        guard var url = WebURL(text), url.query == nil else {
            throw CommandError(
                .usage, "--access-store-url \"\(text)\" is no https:// address, such as https://login.site.com:8443/")
        }
        if !url.path.hasSuffix("/") { url.path += "/" }
        return url
    }

    /// The same as words of a command line, checked; empty where nothing was said.
    var flags: [String] {
        get throws {
            _ = try AuthDomains(domains)
            var words = domains.flatMap { ["--auth-domain", $0] }
            if storeURL != nil { words += ["--access-store-url", try store().description] }
            if isFedRAMP { words.append("--fedramp") }
            return words
        }
    }

    func login(
        _ context: CommandContext, authorityFiles: [String], hostname: AccessHostname? = nil,
        connectTo: ConnectTo? = nil, closesPage: Bool = false, presenter: any LoginPresenter
    ) throws -> AccessLogin {
        var configuration = AccessLogin.Configuration(
            domains: try AuthDomains(domains), storeURL: try store(), userAgent: Version.userAgent)
        configuration.closesPage = closesPage
        return AccessLogin(
            configuration, store: TokenStore(environment: context.environment),
            transport: WebClient(
                authorityFiles: authorityFiles, environment: context.environment, hostname: hostname,
                connectTo: connectTo),
            presenter: presenter, logger: context.logger)
    }
}

extension LoginError {
    /// How a process ends for which this was the last word.
    var exitCode: ServiceHost.ExitCode {
        switch code {
        case .configuration, .storage: .configuration
        case .noApplication, .untrustedApplication, .noToken, .busy, .transfer, .refused, .badAnswer: .failure
        }
    }
}
