import ArgumentParser
import NIOCore
import NIOPosix
import ServiceHost

struct ReadyCommand: CloudflaredCommand {
    static let configuration = CommandConfiguration(
        commandName: "ready", abstract: "Ask a running connector whether it is connected; the exit code is the answer.")

    @Option(help: "Where the connector serves /ready; without it ports 20241 to 20245 of localhost are tried.")
    var metrics = "localhost:0"

    @Option(help: .hidden) var pidfile: String?
    @OptionGroup var logging: LoggingOptions
    @OptionGroup var configurationOptions: ConfigurationOptions

    var loggingSetup: LoggingSetup { logging.setup() }

    func run(in context: CommandContext) async throws {
        let probe: ReadyProbe.Answer
        switch try MetricsAddress(parsing: metrics) {
        case .off:
            throw CommandError(.usage, "--metrics off serves no /ready; give the address of the connector")
        case .fixed(let host, let port):
            probe = try await ReadyProbe.ask(.address(host: host, port: port))
        case .unix(let path):
            probe = try await ReadyProbe.ask(.socket(path: path))
        case .automatic(let host):
            probe = try await firstAnswer(host)
        }
        guard probe.status == 200 else {
            throw CommandError(.unavailable, "not ready: \(probe.status) \(probe.body)")
        }
        context.print(OutputText.safe(probe.body))
    }

    private func firstAnswer(_ host: String) async throws -> ReadyProbe.Answer {
        for port in MetricsAddress.automaticPorts {
            if let answer = try? await ReadyProbe.ask(.address(host: host, port: port)) { return answer }
        }
        throw CommandError(
            .unavailable, "no connector answers on ports 20241 to 20245 of \(host); give its --metrics address")
    }
}

/// One `GET /ready` over a fresh connection, within a deadline.
enum ReadyProbe {
    enum Target {
        case address(host: String, port: Int)
        case socket(path: String)
    }

    struct Answer {
        var status: Int
        var body: String
    }

    static let deadline = Duration.seconds(5)
    static let maximumAnswerSize = 64 * 1024

    static func ask(_ target: Target) async throws -> Answer {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            group.addTask { try await exchange(target) }
            group.addTask {
                try await Task.sleep(for: deadline)
                throw CommandError(.unavailable, "the connector did not answer /ready within \(deadline)")
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() else { throw CancellationError() }
            return answer
        }
    }

    private static func exchange(_ target: Target) async throws -> Answer {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        let initialize: @Sendable (any Channel) -> EventLoopFuture<NIOAsyncChannel<ByteBuffer, ByteBuffer>> = {
            channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel(wrappingChannelSynchronously: channel)
            }
        }
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel =
                switch target {
                case .address(let host, let port):
                    try await bootstrap.connect(host: host, port: port, channelInitializer: initialize)
                case .socket(let path):
                    try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: initialize)
                }
        } catch {
            throw CommandError(.unavailable, "no connector answers there; is it running?", cause: error)
        }
        let text = try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(
                ByteBuffer(string: "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
            var text = ""
            for try await part in inbound {
                text += String(buffer: part)
                guard text.utf8.count <= maximumAnswerSize else { break }
            }
            return text
        }
        let status = text.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap { Int($0) }
        guard text.hasPrefix("HTTP/1."), let status else {
            throw CommandError(.unavailable, "what answers there is not a connector")
        }
        let body = text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
        return Answer(status: status, body: body)
    }
}
