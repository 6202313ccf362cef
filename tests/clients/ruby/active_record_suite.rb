# frozen_string_literal: true

# Runs ActiveRecord's own tests on the ActiveRecord that is installed, with one line for each test.
#
# active_record_suite.rb FILE|FOLDER..., in the folder activerecord of its source.

$LOAD_PATH.unshift(File.expand_path("test"))

# Its test support asks for it: a debugger, which is not installed.
$LOADED_FEATURES << "byebug.rb"

require "cases/helper"

module Verdicts
  def record(result)
    super
    word = result.skipped? ? "SKIPPED" : result.passed? ? "PASSED" : "FAILED"
    # The threads of a test may print, too.
    $stdout.write("\n#{word} #{result.klass}##{result.name.gsub(/\s+/, "_")}\n")
    $stdout.flush
  end
end
Minitest::CompositeReporter.prepend(Verdicts)

# As the Rakefile has it: of the adapters one, and each file once. Arel asks no server.
files = ARGV.flat_map { |name| File.directory?(name) ? Dir["#{name}/**/*_test.rb"].sort : name }
others = files.select { |name| name.include?("/adapters/") && !name.include?("/adapters/mysql2/") }
(files - others).uniq.reject { |name| name.include?("/arel/") }.each do |name|
  require File.expand_path(name)
rescue LoadError => error
  # A few are of how ActiveRecord goes with other parts of Rails, which are not installed.
  warn "without #{name}: #{error.message}"
end
ARGV.replace(["--seed", "1"])
