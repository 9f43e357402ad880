import Access
import ArgumentParser
import Glibc
import Logging
import NIOPosix
import ServiceHost

/// `access curl`: curl with the application's token. Source: access-protocol.md section 2.14.
struct CurlCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "curl", abstract: "Run curl with the token of an application behind Access.",
        discussion: """
            cloudflared access curl https://app.example.com/path -X POST -d @body
            Everything is passed to curl; only --allow-request in front of the URL is not: with it curl runs without a \
            token if none can be had. Flags of cloudflared go before the word curl.
            The token is a cookie of the URL's host, so that no redirect takes it elsewhere; a file of --cookie-jar holds it.
            """)

    @Argument(help: "The URL, and what else curl is to be told.")
    var arguments: [String] = []

    @OptionGroup(title: "Login") var login: LoginOptions
    @OptionGroup(title: "Log") var logging: LoggingOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        var words = arguments[...]
        let isTokenOptional = words.count > 1 && ["--allow-request", "-ar"].contains(words.first)
        if isTokenOptional { words.removeFirst() }
        guard let url = words.first, url.hasPrefix("https://") else {
            throw CommandError(.usage, "give the URL first, such as: cloudflared access curl https://app.example.com")
        }
        let address = try Application.address(url)
        let login = try login.login(context)
        let token: AccessToken?
        do {
            token = try await Interruption.stopping {
                try await login.acceptedToken(for: try await login.application(at: address))
            }
        } catch  where isTokenOptional && !(error is CommandError) {
            context.logger.info("Running curl without a token", metadata: ["error": "\(error)"])
            token = nil
        }
        let status = try await Self.run(Array(words), with: token, for: address.host, context)
        guard status == 0 else { throw ChildExit(status: status) }
    }

    /// The token goes through a pipe: arguments can be read by every user of the host. And it goes as a cookie: a header
    /// would follow every redirect, and go to every further URL.
    private static func run(
        _ words: [String], with token: AccessToken?, for host: String, _ context: CommandContext
    ) async throws -> Int32 {
        guard let program = Browser.find("curl", context.environment) else {
            throw CommandError(.unavailable, "curl is not on the PATH; install it")
        }
        var words = [program] + words
        var ends: [Int32] = [-1, -1]
        if let token {
            guard Glibc.pipe(&ends) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else {
                throw CommandError(.failure, "cannot make a pipe for curl")
            }
            let line = Array(cookieLine(token, host).utf8)
            // A pipe holds it whole: a token is far below 64 KiB.
            let count = write(ends[1], line, line.count)
            close(ends[1])
            guard count == line.count else {
                close(ends[0])
                throw CommandError(.failure, "cannot write the token for curl")
            }
            words += ["--cookie", "/dev/fd/\(ends[0])"]
        }
        let process = spawn(words, context.environment)
        if token != nil { close(ends[0]) }
        guard process > 0 else { throw CommandError(.failure, "cannot start \(program)") }
        return try await NIOThreadPool.singleton.runIfActive {
            var status: Int32 = 0
            while waitpid(process, &status, 0) < 0, errno == EINTR {}
            return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
        }
    }

    /// A line of a cookie file: this host alone, every path, only over TLS.
    static func cookieLine(_ token: AccessToken, _ host: String) -> String {
        "\(host)\tFALSE\t/\tTRUE\t\(token.expiry)\tCF_Authorization\t\(token.text)\n"
    }

    /// With our standard streams, and whatever else is left open for it. Signals reach it as if a shell had started it: the
    /// threads of this program block most of them.
    private static func spawn(_ words: [String], _ environment: [String: String]) -> pid_t {
        let arguments = words.map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var attributes = posix_spawnattr_t()
        guard posix_spawnattr_init(&attributes) == 0 else { return -1 }
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var process: pid_t = 0
        return posix_spawn(&process, words[0], nil, &attributes, arguments, variables) == 0 ? process : -1
    }
}

/// Another program ended for us, and not well: we end as it did.
struct ChildExit: Error, CustomStringConvertible {
    var status: Int32
    var description: String { "exit status \(status)" }
}
