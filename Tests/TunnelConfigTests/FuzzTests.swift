import Fuzzing
import Testing

@testable import TunnelConfig

/// Whatever a file, a rule or a request says: a configuration or an error; no trap, no hang.
struct FuzzTests {
    @Test func `files with changes`() async throws {
        let keys =
            (Array(ConfigKeys.flags.keys).sorted() + ConfigKeys.sections).map { "\n\($0): " } + [
                "{", "[", "- ", "&t ", "*t", "<<: ", "|\n", "!!int ", "~", "0s", "1_000",
            ]
        await fuzz(rounds: 1500, seed: 7, parts: 2) { generator in
            _ = try? file(generator.mutated(Sample.wholeFile, dictionary: keys))
        }
    }

    @Test func `path patterns, against paths like them`() async {
        let pieces = [
            "a", "b", "(", ")", "[", "]", "*", "+", "?", "{2}", "{", "}", "|", "\\", "^", "$", ".", "(?i)", "-",
            "[:alpha:]", "\\d", "\\p{L}", "(?:", ":", "<", "\\Q",
        ]
        var compiled = 0
        await fuzz(rounds: 5000, seed: 3) { generator in
            let text = generator.text(from: pieces, upTo: 12)
            guard let pattern = try? PathPattern(text) else { return }
            compiled += 1
            _ = pattern.matches("/ab/[a]-\n" + text)
        }
        #expect(compiled > 300)
    }

    @Test func `hosts and paths against rules`() async throws {
        let rules = try [("*.wild.test", "^/(a|b)*$"), ("a.test", "x+y")].map {
            IngressRule(hostname: try HostnamePattern($0.0), path: try PathPattern($0.1), service: .httpStatus(200))
        }
        let table = RoutingTable(rules: rules + [IngressRule(service: .httpStatus(404))])
        await fuzz(rounds: 3000, seed: 8, parts: 2) { generator in
            let host = generator.text(from: ["a", ".", "wild.test", ":", "[", "]", "80", "xn--", "%"], upTo: 8)
            let path = generator.text(from: ["/", "a", "x", "y", "%2f", ".."], upTo: 12)
            #expect((0...2).contains(table.match(host: host, path: path).index))
        }
    }
}
