import Fuzzing
import NIOCore
import TestKit
import Testing

@testable import NameResolver

@Suite(.timeLimit(.minutes(1))) struct NameResolverTests {
    private static let service = "_edge._tcp.test"

    private func services(
        timeout: Duration = .seconds(5), _ answer: @escaping DNSResponder.Answer
    ) async throws -> [ServiceRecord] {
        try await DNSResponder.run(answer) { server in
            try await NameResolver(servers: [server.address], timeout: timeout).services(of: Self.service)
        }
    }

    private func code(_ body: () async throws -> some Any) async -> NameError.Code? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? NameError)?.code
        }
    }

    // MARK: What is there

    @Test func `the servers of a service are found with port, priority and weight`() async throws {
        let found = try await services { question, _ in
            #expect(DNSMessage.asked(question) == (Self.service, 33))
            return [
                DNSMessage.answer(
                    to: question,
                    [
                        DNSMessage.srv(Self.service, 1, 5, 7844, "region1.test"),
                        DNSMessage.srv(Self.service, 2, 6, 7845, "region2.test"),
                    ])
            ]
        }
        #expect(
            found == [
                ServiceRecord(target: "region1.test", port: 7844, priority: 1, weight: 5),
                ServiceRecord(target: "region2.test", port: 7845, priority: 2, weight: 6),
            ])
    }

    @Test func `addresses of both families are found, with the port asked for`() async throws {
        let found = try await DNSResponder.run { question, _ in
            let (name, type) = DNSMessage.asked(question)
            let data: [UInt8] =
                type == 1 ? [192, 0, 2, 1] : [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1]
            return [DNSMessage.answer(to: question, [DNSMessage.record(DNSMessage.name(name), type, data)])]
        } _: { server in
            try await NameResolver(servers: [server.address]).addresses(of: "edge.test", port: 7844)
        }
        #expect(Set(found.map(\.ipAddress)) == ["192.0.2.1", "2001:db8::1"])
        #expect(found.map(\.port) == [7844, 7844])
    }

    @Test func `one family alone is enough`() async throws {
        let found = try await DNSResponder.run { question, _ in
            let (name, type) = DNSMessage.asked(question)
            guard type == 1 else { return [DNSMessage.answer(to: question, [], code: 2)] }
            return [DNSMessage.answer(to: question, [DNSMessage.record(DNSMessage.name(name), 1, [192, 0, 2, 1])])]
        } _: { server in
            try await NameResolver(servers: [server.address]).addresses(of: "edge.test", port: 1)
        }
        #expect(found.map(\.ipAddress) == ["192.0.2.1"])
    }

    @Test func `an address, and a name under localhost, needs nobody`() async throws {
        let resolver = NameResolver(servers: ["127.0.0.1:9"])
        #expect(try await resolver.addresses(of: "::1", port: 5).map(\.port) == [5])
        #expect(try await resolver.addresses(of: "edge.localhost", port: 5).first?.ipAddress == "127.0.0.1")
    }

    @Test func `a truncated answer is asked for again over TCP`() async throws {
        let found = try await services { question, isTCP in
            let records = isTCP ? (1...40).map { DNSMessage.srv(Self.service, $0, 0, 7844, "host\($0).test") } : []
            return [DNSMessage.answer(to: question, records, isTruncated: !isTCP)]
        }
        #expect(found.count == 40)
    }

    @Test func `no answer gives more records than there is room for`() async throws {
        let found = try await services { question, isTCP in
            let records = (1...900).map { DNSMessage.srv(Self.service, $0, 0, 7844, "h\($0).test") }
            return [DNSMessage.answer(to: question, isTCP ? records : [], isTruncated: !isTCP)]
        }
        #expect(found.count == NameResolver.most)
    }

    // MARK: What is not there

    @Test func `a name that does not exist, one without records, and a target that says so are not found`() async {
        for (records, code) in [
            ([], UInt8(3)), ([], 0), ([DNSMessage.srv(Self.service, 0, 0, 7844, "")], 0),
        ] as [([[UInt8]], UInt8)] {
            let found = await self.code {
                try await services { question, _ in [DNSMessage.answer(to: question, records, code: code)] }
            }
            #expect(found == .notFound)
        }
    }

    @Test func `a server that fails or refuses is told from one that is not there`() async {
        #expect(
            await code { try await services { question, _ in [DNSMessage.answer(to: question, [], code: 2)] } } != nil)
        #expect(
            await code { try await NameResolver(servers: ["127.0.0.1:9"]).services(of: Self.service) } == .unreachable)
    }

    @Test func `a name that cannot be asked for is an error`() async {
        let long = String(repeating: "x", count: 64) + ".test"
        let found = await code { try await NameResolver(servers: ["127.0.0.1:9"]).services(of: long) }
        #expect(found == .badName)
    }

    @Test func `a silent server ends the question at its deadline, a cancellation at once`() async throws {
        #expect(await code { try await services(timeout: .milliseconds(50)) { _, _ in [] } } == .unreachable)
        try await DNSResponder.run { _, _ in
            []
        } _: { server in
            let resolver = NameResolver(servers: [server.address], timeout: .seconds(1000))
            await withTaskGroup { tasks in
                // More than there are threads: those that never began must end too.
                for _ in 0..<8 {
                    tasks.addTask {
                        let error = await #expect(throws: (any Error).self) {
                            try await resolver.services(of: Self.service)
                        }
                        #expect(!(error is NameError))
                    }
                }
                tasks.cancelAll()
            }
        }
    }

    @Test func `the deadline counts from the question on, however many wait before it`() async throws {
        try await DNSResponder.run { _, _ in
            []
        } _: { server in
            let patient = NameResolver(servers: [server.address], timeout: .seconds(1000))
            let hasty = NameResolver(servers: [server.address], timeout: .milliseconds(50))
            let (asked, ask) = AsyncStream.makeStream(of: Void.self)
            await withTaskGroup { tasks in
                // c-ares gives each of them up after seconds: those at the end would wait for minutes.
                for _ in 0..<100 {
                    tasks.addTask {
                        ask.yield()
                        _ = try? await patient.services(of: Self.service)
                    }
                }
                for await _ in asked.prefix(100) {}
                #expect(await code { try await hasty.services(of: Self.service) } == .unreachable)
                tasks.cancelAll()
            }
        }
    }

    // MARK: Hostile answers

    @Test func `an answer to another question is not taken`() async {
        let found = await code {
            try await services(timeout: .milliseconds(100)) { question, _ in
                [
                    DNSMessage.answer(
                        to: question, [DNSMessage.srv(Self.service, 0, 0, 1, "evil.test")],
                        id: [question[0] ^ 0xff, question[1]])
                ]
            }
        }
        #expect(found == .unreachable)
    }

    @Test func `aliases that lead in circles end`() async {
        let found = await code {
            try await DNSResponder.run { question, _ in
                let (name, _) = DNSMessage.asked(question)
                let loop = [
                    DNSMessage.record(DNSMessage.name(name), 5, DNSMessage.name("b.test")),
                    DNSMessage.record(DNSMessage.name("b.test"), 5, DNSMessage.name(name)),
                ]
                return [DNSMessage.answer(to: question, loop)]
            } _: {
                try await NameResolver(servers: [$0.address], timeout: .seconds(1)).addresses(of: "a.test", port: 1)
            }
        }
        #expect(found != nil)
    }

    @Test func `pointers that point at themselves, and any other bytes, end as errors`() async throws {
        try await DNSResponder.run { question, isTCP in
            var random = SeededGenerator(seed: UInt64(question[0]) << 8 | UInt64(question[1]))
            var records = [
                DNSMessage.record([0xc0, UInt8(question.count)], 33, [0, 0, 0, 0, 0, 1, 0xc0, UInt8(question.count)])
            ]
            if Bool.random(using: &random) {
                records.append(
                    (0..<Int.random(in: 0...90, using: &random)).map { _ in .random(in: 0...255, using: &random) })
            }
            let whole = DNSMessage.answer(to: question, records)
            return [Array(whole.prefix(Int.random(in: 0...whole.count, using: &random))), whole]
        } _: { server in
            let resolver = NameResolver(servers: [server.address], timeout: .milliseconds(200))
            for _ in 0..<60 { _ = await code { try await resolver.services(of: Self.service) } }
        }
    }

    @Test func `parsers take any bytes`() {
        var random = SeededGenerator(seed: 53)
        let question: [UInt8] = [1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + DNSMessage.name(Self.service) + [0, 33, 0, 1]
        let whole = DNSMessage.answer(
            to: question,
            [
                DNSMessage.srv(Self.service, 1, 2, 3, "a.test"),
                DNSMessage.record(DNSMessage.name("a.test"), 1, [192, 0, 2, 1]),
                DNSMessage.record(DNSMessage.name("a.test"), 28, Array(repeating: 1, count: 16)),
            ])
        for turn in 0..<20_000 {
            var bytes = Array(whole.prefix(turn < 200 ? turn : whole.count))
            for _ in 0..<Int.random(in: 0...4, using: &random) where !bytes.isEmpty {
                bytes[.random(in: bytes.indices, using: &random)] = .random(in: 0...255, using: &random)
            }
            let answer = DNSAnswer(bytes, to: "x")
            _ = try? answer.services
            _ = try? answer.v4(port: 1)
            _ = try? answer.v6(port: 1)
        }
    }
}

@Suite struct ServiceRecordTests {
    @Test func `priority comes before all, weight makes an early place likely, and nothing is lost`() {
        var random = SeededGenerator(seed: 2782)
        let records = [
            ServiceRecord(target: "late", port: 1, priority: 2), ServiceRecord(target: "heavy", port: 1, weight: 90),
            ServiceRecord(target: "light", port: 1, weight: 9), ServiceRecord(target: "none", port: 1, weight: 0),
        ]
        var firsts: [String: Int] = [:]
        for _ in 0..<1000 {
            let order = ServiceRecord.ordered(records, using: &random)
            #expect(Set(order) == Set(records) && order.count == 4 && order[3].target == "late")
            firsts[order[0].target, default: 0] += 1
        }
        #expect(firsts["heavy", default: 0] > firsts["light", default: 0])
        #expect(firsts["light", default: 0] > firsts["none", default: 0])
        #expect(firsts["none", default: 0] > 0)
        #expect(ServiceRecord.ordered([], using: &random) == [])
    }
}
