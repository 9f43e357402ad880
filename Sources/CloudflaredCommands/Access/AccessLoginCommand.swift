import Access
import ArgumentParser
import ServiceHost
import TunnelConfig

/// `access login`. Source: access-protocol.md section 2.14.
struct AccessLoginCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Log in to an application behind Access and print its token.",
        discussion: """
            cloudflared access login https://app.example.com
            Opens a browser where there is a screen, else prints the URL to open. The token is kept in ~/.cloudflared.
            """)

    @Argument(help: "The application, a host name or URL.")
    var url: String?

    @Option(help: ArgumentHelp("The application, instead of the argument; prints the token alone.", valueName: "url"))
    var app: String?

    @Flag(help: "Print nothing (-q).")
    var quiet = false

    @Flag(help: "Print the token alone, without a line end.")
    var noVerbose = false

    @Flag(help: "Let the page in the browser close itself.")
    var autoClose = false

    @OptionGroup(title: "Login") var login: LoginOptions
    @OptionGroup(title: "Log") var logging: LoggingOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let address = try Application.address(url ?? app)
        let login = try login.login(context, closesPage: autoClose)
        let token = try await Interruption.stopping {
            try await login.acceptedToken(for: try await login.application(at: address))
        }
        if quiet { return }
        if noVerbose || app != nil { return context.emit(token.text) }
        context.print("Successfully fetched your token:\n\n\(token.text)\n")
    }
}

/// `access token`: what is there already. Never logs in.
struct AccessTokenCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Print the token that a login left, without a line end.")

    @Argument(help: "The application, a host name or URL.")
    var url: String?

    @Option(help: ArgumentHelp("The application, instead of the argument.", valueName: "url"))
    var app: String?

    @OptionGroup(title: "Login") var login: LoginOptions
    @OptionGroup(title: "Log") var logging: LoggingOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let address = try Application.address(url ?? app)
        let login = try login.login(context)
        guard let token = try login.storedToken(of: try await login.application(at: address)) else {
            throw Application.noToken
        }
        context.emit(token.text)
    }
}

/// What commands say and ask about the application they are given.
enum Application {
    static func address(_ text: String?) throws -> WebURL {
        guard let text, !text.isEmpty else {
            throw CommandError(.usage, "no application is given: add its URL, such as https://app.example.com")
        }
        do {
            return WebURL(try AccessHostname.parse(text))
        } catch {
            throw CommandError(.usage, "the application's URL cannot be used", cause: error)
        }
    }

    static var noToken: CommandError {
        CommandError(.failure, "there is no token for this application; get one with 'cloudflared access login'")
    }
}

/// Ends what a person waits for when they, or the system, ask for it: so that locks are freed.
enum Interruption {
    static func stopping<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
        let signals = await ProcessSignals()
        return try await withThrowingTaskGroup(of: Value.self) { children in
            children.addTask { try await body() }
            children.addTask {
                guard let signal = await signals.firstStop() else { throw CancellationError() }
                throw CommandError(.failure, "stopped by \(signal.name) before it was done")
            }
            defer { children.cancelAll() }
            guard let first = try await children.next() else { throw CancellationError() }
            return first
        }
    }
}
