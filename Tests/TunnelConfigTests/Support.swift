import Testing

@testable import TunnelConfig

/// The error of `body`, or nil with a recorded failure when it throws none.
func configError(_ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) -> ConfigError? {
    do {
        try body()
        Issue.record("no error was thrown", sourceLocation: sourceLocation)
        return nil
    } catch let error as ConfigError {
        return error
    } catch {
        Issue.record("an unexpected error was thrown: \(error)", sourceLocation: sourceLocation)
        return nil
    }
}

func file(_ yaml: String) throws -> ConfigFile {
    try ConfigFile.parse(yaml, path: "config.yml")
}

/// The same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Text built from `pieces` and, now and then, from any scalar at all.
    mutating func text(from pieces: [String], upTo count: Int) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 0...count, using: &self) {
            if Int.random(in: 0..<8, using: &self) == 0 {
                text.unicodeScalars.append(Unicode.Scalar(UInt32.random(in: 0...0xD7FF, using: &self)) ?? " ")
            } else {
                text += pieces.randomElement(using: &self) ?? ""
            }
        }
        return text
    }
}
