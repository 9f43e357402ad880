import ByteStream
import Glibc
import NIOCore
import NIOPosix

extension Forwarder {
    /// Carries standard input and output over one WebSocket, as `ProxyCommand` of ssh: until both directions have ended, or
    /// the task is cancelled. The descriptors themselves stay open and keep their flags.
    ///
    /// - Throws: `AccessError` when the WebSocket did not open or broke.
    package func runStandardIO(input: Int32 = STDIN_FILENO, output: Int32 = STDOUT_FILENO) async throws {
        // The other end may go away at any time: that is an error of the descriptor, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let tls = try trustedContext()
        let eventLoop = eventLoopGroup.next()
        let descriptors = try StandardDescriptors(input: input, output: output)
        defer { descriptors.restoreFlags() }
        // A thread each: they block for as long as the stream lives.
        let threads = NIOThreadPool(numberOfThreads: max(1, descriptors.pumps.count))
        threads.start()
        defer { threads.shutdownGracefully { _ in } }
        try await withThrowingTaskGroup(of: Void.self) { pumps in
            for pump in descriptors.pumps {
                pumps.addTask { try await threads.runIfActive { pump.run() } }
            }
            do {
                let local = try await pipe(descriptors, on: eventLoop)
                do {
                    try Self.check(try await forward(local, tls: tls))
                } catch {
                    eventLoop.execute { local.abort() }
                    if !(error is CancellationError) { throw error }
                }
            }
            // A file behind standard output gets its last bytes from its pump.
            try await pumps.waitForAll()
        }
    }

    private func pipe(_ descriptors: StandardDescriptors, on eventLoop: any EventLoop) async throws -> ChannelPipe {
        do {
            return try await NIOPipeBootstrap(group: eventLoop)
                .channelOption(.autoRead, value: false)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .takingOwnershipOfDescriptors(input: descriptors.input, output: descriptors.output) { channel in
                    channel.eventLoop.makeCompletedFuture { try ChannelPipe.install(on: channel) }
                }
        } catch {
            throw AccessError(.configuration, "cannot read standard input or write standard output", cause: error)
        }
    }

    /// Silence after one side has ended is how many streams end; only a broken WebSocket is a failure.
    private static func check(_ summary: Splice.Summary) throws {
        switch summary.error {
        case nil, PipeError.aborted?, PipeError.idle?, PipeError.closedByPeer?:
            return
        case let error?:
            throw AccessError(.connectionLost, "the connection to the edge broke", cause: error)
        }
    }
}

/// Copies of standard input and output that an event loop can wait on.
///
/// A file or `/dev/null` cannot be waited on: there a pump stands between it and a pipe.
struct StandardDescriptors: Sendable {
    /// Copies a descriptor into another until the end, blocking; closes both. Lives on a thread of its own.
    struct Pump: Sendable {
        let source: Int32
        let target: Int32

        func run() {
            defer {
                close(source)
                close(target)
            }
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = read(source, &chunk, chunk.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                var written = 0
                while written < count {
                    let step = chunk[written..<count].withUnsafeBytes { write(target, $0.baseAddress, $0.count) }
                    if step < 0, errno == EINTR { continue }
                    guard step > 0 else { return }
                    written += step
                }
            }
        }
    }

    private(set) var input: Int32
    private(set) var output: Int32
    private(set) var pumps: [Pump] = []
    private let flags: [(descriptor: Int32, flags: Int32)]

    init(input: Int32, output: Int32) throws {
        // NIO makes them non-blocking, which reaches whoever else uses the same open file: the terminal, the parent.
        flags = [input, output].map { ($0, fcntl($0, F_GETFL)) }
        self.input = try Self.duplicate(input)
        self.output = try Self.duplicate(output)
        if !Self.canBeWaitedOn(self.input) {
            let pipe = try Self.makePipe()
            pumps.append(Pump(source: self.input, target: pipe.write))
            self.input = pipe.read
        }
        if !Self.canBeWaitedOn(self.output) {
            let pipe = try Self.makePipe()
            pumps.append(Pump(source: pipe.read, target: self.output))
            self.output = pipe.write
        }
    }

    func restoreFlags() {
        for (descriptor, flags) in flags where flags >= 0 { _ = fcntl(descriptor, F_SETFL, flags) }
    }

    private static func duplicate(_ descriptor: Int32) throws -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else {
            throw AccessError(
                .configuration, "standard input or output is closed; give --url to listen instead",
                cause: IOError(errnoCode: errno, reason: "fcntl"))
        }
        return copy
    }

    private static func makePipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else {
            throw AccessError(
                .configuration, "cannot make a pipe", cause: IOError(errnoCode: errno, reason: "pipe"))
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Pipes, sockets and terminals; not what has a position, as files and `/dev/null` do.
    private static func canBeWaitedOn(_ descriptor: Int32) -> Bool {
        lseek(descriptor, 0, SEEK_CUR) < 0 && errno == ESPIPE
    }
}
